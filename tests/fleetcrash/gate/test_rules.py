"""The rules: what halts, what holds and with which reason, and what may go."""

from __future__ import annotations

from dataclasses import asdict, replace
from datetime import timedelta

import numpy as np
import pytest

from fleetcrash.errors import BadArgument
from fleetcrash.gate.reading import Ring
from fleetcrash.gate.rules import Accusation, Circumstances, Decision, Elsewhere, decide
from fleetcrash.gate.settings import Settings
from fleetcrash.gate.wording import bound_text, ring_text
from tests.fleetcrash.gate.rollouts import RELEASED, UPDATE, ring

AFTER = RELEASED + timedelta(minutes=130)
UNDER = Circumstances(Settings(), AFTER, caution=1.5)


def us(minutes: float) -> int:
    return int((RELEASED + timedelta(minutes=minutes)).timestamp() * 1e6)


FRESH = replace(UPDATE, told_us=us(130))


def test_a_quiet_ring_goes_after_its_soak():
    answer = decide(FRESH, [ring()], UNDER)
    assert answer.decision is Decision.GO
    assert answer.upper_bound < 0.001
    assert "0 of 4,000 hosts crashed or went dark where 1.2 were expected" in answer.reason


def test_before_its_soak_is_over_it_holds_and_says_how_long():
    answer = decide(FRESH, [ring(minutes=108)], replace(UNDER, instant=RELEASED + timedelta(minutes=108)))
    assert answer.decision is Decision.HOLD
    assert answer.reason == "Ring canary: soak has 12 minutes to go."


def test_silent_telemetry_holds():
    answer = decide(FRESH, [ring(beat_us=us(116))], UNDER)
    assert (answer.decision, answer.reason) == (Decision.HOLD, "Ring canary: no heartbeat for 14 minutes.")
    assert decide(FRESH, [ring(beat_us=us(118))], UNDER).decision is Decision.GO
    quiet = decide(replace(FRESH, told_us=us(60)), [ring()], UNDER)
    assert (quiet.decision, quiet.reason) == (Decision.HOLD, "Nothing was told of the fleet for 70 minutes.")


def test_a_ring_of_which_nobody_is_online_holds_if_it_is_large_enough_to_go_by_itself():
    answer = decide(FRESH, [ring(left_us=us(70))], UNDER)
    assert answer.decision is Decision.HOLD
    assert answer.reason == "Ring canary: none of its hosts has been online for 60 minutes."
    assert decide(FRESH, [ring(left_us=us(70), beat_us=us(120))], UNDER).decision is Decision.GO, "its heartbeats tell"
    few = ring("early", hosts=20, left_us=us(70))
    assert decide(FRESH, [ring(), few], UNDER).rings[1].decision is Decision.GO


def test_hits_after_the_first_minutes_are_no_excess_that_is_ruled_out():
    """The bound of the first minutes says 0.0008; the hits that came since say more."""
    slow = ring(minutes=180, hits=[70, 80, 95, 110, 120, 150, 160, 170])
    answer = decide(FRESH, [slow], UNDER)
    assert answer.decision is Decision.HOLD
    assert answer.upper_bound == pytest.approx((8 - slow.expected) / 4000)
    assert answer.reason == (
        "Ring canary: bound 0.0016 is not below 0.001: 8 of 4,000 hosts crashed or went dark where 1.7 were expected."
    )
    usual = ring(minutes=180, hits=[70, 110, 150, 160, 170])
    assert decide(FRESH, [usual], UNDER).decision is Decision.GO, "fewer than one in a thousand more than expected"


def test_what_chance_brings_one_ring_in_a_day_is_told_by_all_rings_together():
    under, fresh = replace(UNDER, instant=RELEASED + timedelta(minutes=1300)), replace(FRESH, told_us=us(1300))
    first = ring(minutes=1300, hits=[80 * number for number in range(1, 17)])
    assert first.hit - first.expected < 4000 * 0.001 * 2
    lucky = [1290 // 23 * number + 1 for number in range(23)]
    second = ring("early", hosts=8000, minutes=1300, hits=lucky)
    assert decide(fresh, [first], under).decision is Decision.GO
    first = ring(minutes=1300, hits=[70 * number for number in range(1, 19)])
    assert decide(fresh, [first], under).decision is Decision.HOLD, "alone, nothing else tells"
    answer = decide(fresh, [first, second], under)
    assert [one.by_itself for one in answer.rings] == [False, True]
    assert answer.rings[0].decision is Decision.GO
    worse = ring(minutes=1300, hits=[40 * number for number in range(1, 32)])
    assert decide(fresh, [worse, second], under).rings[0].by_itself, "that is no chance"


def test_too_few_hosts_hold_and_it_says_how_many_would_do():
    answer = decide(FRESH, [ring(hosts=1000)], UNDER)
    assert answer.decision is Decision.HOLD
    assert "is not below 0.001: about 2,0" in answer.reason
    assert "more exposed hosts without a hit would do" in answer.reason


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"reverted_us": us(30)}, "It was withdrawn at 2026-03-04T12:30:00Z"),
        (
            {"kind": None},
            "The catalogue lacks it, so its kind, its channel and whether it was withdrawn are not known: a",
        ),
        ({"exposure_source": "release"}, "No install is told of in this lake"),
        ({"presence_source": "assumed"}, "No presence is told of in this lake"),
        ({"crash_told": False}, "No crash of any host is on record, so crashes may not be told of at all: one of any"),
    ],
)
def test_what_is_not_known_holds(changed, reason):
    answer = decide(replace(FRESH, **changed), [ring()], UNDER)
    assert answer.decision is Decision.HOLD
    assert answer.reason.startswith(reason)
    assert decide(replace(FRESH, **changed), [ring(hits=[1, 1, 2, 2, 3])], UNDER).decision is Decision.HALT


def test_no_host_or_no_release_yet_holds():
    nobody = decide(FRESH, [], UNDER)
    assert (nobody.decision, nobody.reason, nobody.upper_bound) == (Decision.HOLD, "No host is known to have it.", 1.0)
    lacking = replace(FRESH, exposure_source="none", presence_source="assumed", crash_told=False)
    assert "No crash of any host is on record" in decide(lacking, [], UNDER).reason, "no table shows what is left out"
    former = decide(FRESH, [ring(holders=0)], UNDER)
    assert (former.decision, former.reason) == (Decision.HOLD, "No host has it any more.")
    assert decide(FRESH, [ring(holders=1)], UNDER).decision is Decision.GO
    early = decide(replace(FRESH, released_us=us(200)), [], UNDER)
    assert (early.decision, early.reason) == (Decision.HOLD, "It is not released before 2026-03-04T15:20:00Z.")


def test_a_ring_that_crashes_halts_by_its_own_test():
    answer = decide(FRESH, [ring(hits=[1, 1, 2, 2, 3])], UNDER)
    assert (answer.decision, answer.rings[0].decision) == (Decision.HALT, Decision.HALT)
    assert answer.reason == "Ring canary: 5 of 4,000 hosts crashed or went dark where 1.2 were expected."


def test_without_history_only_the_detector_halts():
    crashing = [ring(hits=[1, 1, 2, 2, 3])]
    assert decide(FRESH, crashing, replace(UNDER, caution=float("inf"))).decision is Decision.HOLD


def test_what_is_named_or_tied_halts_whatever_the_rings_say():
    named = decide(FRESH, [ring()], replace(UNDER, accused=Accusation("inc-1", True, "u1 crashes Windows.")))
    assert (named.decision, named.rings[0].decision) == (Decision.HALT, Decision.HALT)
    assert named.reason == "Named by inc-1: u1 crashes Windows."
    tied = decide(FRESH, [ring()], replace(UNDER, accused=Accusation("inc-1", False, "cannot separate")))
    assert (tied.decision, tied.reason) == (Decision.HALT, "Tied with others in inc-1: cannot separate.")
    alone = decide(FRESH, [ring()], replace(UNDER, accused=Accusation("inc-1", False, "cannot separate", alone=True)))
    assert alone.reason == "Suspected, it or no update, in inc-1: cannot separate."


def test_hits_that_another_incident_explains_hold_and_do_not_halt():
    elsewhere = replace(UNDER, elsewhere=Elsewhere("inc-2", "u2 crashes Windows."))
    answer = decide(FRESH, [ring(hits=[1, 1, 2, 2, 3])], elsewhere)
    assert answer.decision is Decision.HOLD
    assert answer.reason == (
        "Hosts were hit, which inc-2 may explain: u2 crashes Windows. These hits count for good, and waiting does not "
        "end this: look at the hosts, then --override halt, or go if it was not the update. Ring canary: 5 of "
        "4,000 hosts crashed or went dark where 1.2 were expected."
    )
    over = decide(FRESH, [ring(hits=[1, 1, 2, 2, 3])], replace(UNDER, elsewhere=Elsewhere("inc-2", "So.", over=True)))
    assert over.reason.startswith("Ring canary: 5 of 4,000 hosts"), "what is over does not lead"
    assert "Hosts were hit, which inc-2 may explain: So; that is over. These hits count" in over.reason
    later = decide(FRESH, [ring(hits=[1, 1, 2, 2, 3], minutes=1300)], elsewhere)
    assert (later.decision, later.rings[0].risen) == (Decision.HOLD, True), "what it says is true"
    assert decide(FRESH, [ring()], elsewhere).decision is Decision.GO, "a quiet ring does not wait for others"


def test_a_ring_that_others_explain_says_so_while_its_bound_is_too_wide():
    # Hosts beside it were hit alike, so that its own test finds nothing.
    flooded = ring(hits=[20, 25, 30, 35, 40, 45, 50])
    hits = replace(flooded.evidence.hits, beside=np.full(7, 1000.0))
    flooded = replace(flooded, evidence=replace(flooded.evidence, hits=hits))
    explained = Elsewhere("inc-2", "de lost its power.", met=True)
    answer = decide(FRESH, [flooded], replace(UNDER, elsewhere=explained))
    assert answer.decision is Decision.HOLD
    assert answer.reason.startswith(
        "Hosts were hit, which inc-2 may explain: de lost its power. Ring canary: bound 0.0016 is not below 0.001: 7 of"
    )
    for other in (None, replace(explained, met=False)):
        assert decide(FRESH, [flooded], replace(UNDER, elsewhere=other)).reason.startswith("Ring canary: bound 0.0016")
    few = decide(FRESH, [ring(hosts=1000)], replace(UNDER, elsewhere=explained))
    assert few.reason.startswith("Ring canary: bound"), "too few hosts are no hits"


def test_a_ring_goes_by_the_hosts_that_lack_another_update_that_is_named():
    def partly(alone: int, **changed):
        told = ring(hosts=alone, crashed=100, exposed=20_000, weight=20_000.0, shared=100, **changed)
        return decide(FRESH, [told], replace(UNDER, elsewhere=Elsewhere("inc-2", "u2 crashes Windows.")))

    gone = partly(4000)
    assert gone.decision is Decision.GO, "though u2 still crashes hosts that have both"
    assert gone.reason.startswith(
        "100 of 20,000 hosts crashed or went dark where 1.2 were expected, 100 of them with another update as well that"
    )
    assert partly(4000, hits=[1, 1, 2, 2, 3]).decision is Decision.HOLD, "those that have it alone are hit, too"
    few = partly(1000)
    assert few.decision is Decision.HOLD
    assert few.reason.startswith("Hosts were hit, which inc-2 may explain: u2 crashes Windows. Ring canary: bound 0.0")
    assert "(19,000 do not count, as they have another update as well that is named)" in few.reason


def test_first_minutes_alone_are_no_soak():
    told = ring()
    soon = replace(told, exposed=4000, evidence=replace(told.evidence, heads=50.0, exposed=50))
    answer = decide(FRESH, [soon], UNDER)
    assert (answer.decision, answer.reason) == (
        Decision.HOLD,
        "Ring canary: only 50 of 4,000 hosts have it alone, or had it for an hour before another that is named; 2,996 "
        "would do.",
    )


def test_a_large_ring_of_which_few_count_does_not_go_by_the_others():
    shared = replace(ring("early", hosts=20), exposed=4000, weight=4000.0)
    assert decide(FRESH, [ring(), shared], UNDER).rings[1].decision is Decision.HOLD


def test_what_strikes_others_alike_holds_as_long_as_it_goes_on():
    struck = ring(hosts=8000, hits=[20 + number for number in range(16)])
    hits = replace(struck.evidence.hits, beside=np.full(16, 1000.0))
    struck = replace(struck, evidence=replace(struck.evidence, hits=hits, excess=0.0, surplus=0.0))
    outage = Elsewhere("inc-2", "de lost its power.")
    answer = decide(FRESH, [struck], replace(UNDER, elsewhere=outage))
    assert (answer.decision, answer.reason) == (
        Decision.HOLD, "Hosts were hit, which inc-2 may explain: de lost its power.",
    )  # fmt: skip
    for other in (replace(outage, over=True), replace(outage, met=False), None):
        let_go = decide(FRESH, [struck], replace(UNDER, elsewhere=other))
        assert let_go.decision is Decision.GO
        assert let_go.reason.startswith(
            "16 of 8,000 hosts crashed or went dark where 2.5 were expected, "
            "16 of them while hosts without it did, too; an excess above"
        )


def test_servers_that_are_not_back_hold_whatever_silenced_them():
    answer = decide(FRESH, [ring(silent=7)], UNDER)
    assert answer.decision is Decision.HOLD
    assert answer.reason == "Ring canary: 7 of 4,000 hosts are not back since they went dark."
    assert decide(FRESH, [ring(silent=5)], UNDER).decision is Decision.GO, "one is expected"


def test_a_bound_that_is_too_wide_comes_with_the_hits_and_with_hosts_that_the_fleet_lacks():
    answer = decide(replace(FRESH, hosts=8_000), [ring(hosts=2000, hits=[1])], UNDER)
    assert answer.reason.endswith(
        " is not below 0.001: 1 of 2,000 hosts crashed or went dark where 0.62 were expected, and about 6,365 more "
        "exposed hosts without a hit would do, more than the 6,000 that lack it."
    )
    roomy = decide(replace(FRESH, hosts=90_000), [ring(hosts=2000, hits=[1])], UNDER)
    assert roomy.reason.endswith("more exposed hosts without a hit would do.")
    assert "more than" not in decide(FRESH, [ring(hosts=2000, hits=[1])], UNDER).reason, "without an inventory"


def test_a_ring_too_small_for_the_share_says_so_at_the_first_look():
    canary = ring(hosts=2000, minutes=3)
    small = decide(replace(FRESH, hosts=90_000), [replace(canary, hosts=2150)], UNDER)
    assert small.decision is Decision.HOLD
    assert small.reason.endswith(
        " more exposed hosts without a hit would do, but the ring has only 150 more: it takes a larger ring, or a "
        "larger --max-excess."
    )
    full = decide(replace(FRESH, hosts=90_000), [replace(canary, hosts=2000)], UNDER)
    assert "would do, but the ring has no more: it takes" in full.reason
    crashed = replace(ring(hosts=2000, minutes=3, hits=[2]), hosts=2150)
    assert decide(replace(FRESH, hosts=90_000), [crashed], UNDER).reason.endswith("but the ring has only 150 more.")
    for hosts in (9000, 0):
        roomy = decide(replace(FRESH, hosts=90_000), [replace(canary, hosts=hosts)], UNDER)
        assert roomy.reason.endswith("more exposed hosts without a hit would do."), "it fills, or is not known"


def test_a_halt_for_what_happened_early_on_says_so_where_chance_has_brought_as_many_since():
    answer = decide(FRESH, [ring(hits=[1, 1, 2, 2, 3], expected=7.0)], UNDER)
    assert (answer.decision, answer.reason) == (
        Decision.HALT,
        "Ring canary: 5 of 4,000 hosts crashed or went dark where 7 were expected, too many of them early on.",
    )


def test_from_the_second_ring_on_a_slow_fault_must_be_ruled_out():
    rings = [ring(), ring("early", hosts=8000, hits=[70, 80, 90, 100, 110])]
    answer = decide(FRESH, rings, UNDER)
    assert answer.decision is Decision.HOLD
    assert answer.reason == (
        "A slow fault is not ruled out: 5 of 12,000 hosts crashed where 3.7 were expected, so crashes may be 3.8 times "
        "as frequent as usual; from the second ring on that must be below 2.5, and about 12,289 more host-hours "
        "without a hit would do."
    )
    assert decide(FRESH, [rings[1]], UNDER).decision is Decision.GO, "alone, as the first ring, it may go"
    later = [ring(minutes=600), ring("early", hosts=8000, minutes=600)]
    under = replace(UNDER, instant=RELEASED + timedelta(minutes=600))
    assert decide(replace(FRESH, told_us=us(600)), later, under).decision is Decision.GO
    strays = [ring(), ring("broad", hosts=8000, begun=False)]
    assert decide(FRESH, strays, UNDER).decision is Decision.GO, "strays do not make a second ring"


def test_a_quiet_fleet_whose_servers_hardly_ever_fall_silent_goes():
    def told(name: str, hosts: int, silences: int = 0) -> Ring:
        calm = ring(name, hosts=hosts, minutes=600, hits=[number * 60 for number in range(2, 8)])
        hits = replace(calm.evidence.hits, outcome=np.array([0] * (6 - silences) + [1] * silences))
        usual = calm.evidence.expected + np.array([12.0, 0.1])
        return replace(calm, evidence=replace(calm.evidence, expected=usual, hits=hits), dark=silences)

    under, fresh = replace(UNDER, instant=RELEASED + timedelta(minutes=600)), replace(FRESH, told_us=us(600))
    answer = decide(fresh, [told("canary", 4000), told("early", 4000)], under)
    assert answer.decision is Decision.GO
    assert answer.rate_ratio > 10, "of silences, which cannot be told"
    silent = decide(fresh, [told("canary", 4000), told("early", 4000, silences=4)], under)
    assert silent.decision is Decision.HOLD
    assert silent.reason.startswith(
        "A slow fault is not ruled out: 4 of 8,000 hosts went dark where 0.2 were expected, so silences may be"
    )


def test_a_ring_too_small_to_tell_goes_by_all_rings_together():
    alone = decide(FRESH, [ring("pilot", hosts=20)], UNDER)
    assert (alone.decision, alone.rings[0].by_itself) == (Decision.HOLD, True)
    answer = decide(FRESH, [ring("pilot", hosts=20, begun=False), ring()], UNDER)
    assert answer.decision is Decision.GO
    assert [one.by_itself for one in answer.rings] == [False, True]


def test_a_bound_of_all_rings_is_told_with_the_hits_of_all_rings():
    flooded = ring(hosts=400, hits=[20, 25, 30])
    hits = replace(flooded.evidence.hits, beside=np.full(3, 1000.0))
    flooded = replace(flooded, evidence=replace(flooded.evidence, hits=hits))
    answer = decide(FRESH, [flooded, ring("early", hosts=500)], UNDER)
    assert [one.by_itself for one in answer.rings] == [False, False]
    for one in answer.rings:
        assert ": 3 of 900 hosts crashed or went dark where 0.28 were expected" in one.reasons[0]


def test_a_small_ring_that_fares_unlike_the_rest_is_bound_by_itself():
    elsewhere = replace(UNDER, elsewhere=Elsewhere("inc-2", "u2 crashes Windows."))
    answer = decide(FRESH, [ring(), ring("early", hosts=500, hits=[3, 4, 5])], elsewhere)
    assert (answer.decision, answer.rings[1].by_itself) == (Decision.HOLD, True)
    assert answer.rings[1].upper_bound > 3 / 500
    alike = decide(FRESH, [ring(), ring("early", hosts=500, hits=[100])], elsewhere)
    assert not alike.rings[1].by_itself, "one hit is no sign of anything"


def test_every_ring_must_go():
    answer = decide(FRESH, [ring(), ring("broad", begun=False, soaked_from_us=us(129))], UNDER)
    assert answer.decision is Decision.HOLD
    assert [one.decision for one in answer.rings] == [Decision.GO, Decision.HOLD]
    assert answer.reason == "Ring broad: soak has 119 minutes to go."


def test_a_larger_share_asks_for_fewer_hosts():
    wide = replace(UNDER, settings=Settings(max_excess=0.01))
    assert decide(FRESH, [ring(hosts=1000)], wide).decision is Decision.GO


def test_a_fault_spread_over_rings_is_seen_in_all_of_them_together():
    rings = [ring(f"r{number}", hosts=500, hits=[1]) for number in range(6)]
    answer = decide(FRESH, rings, UNDER)
    assert answer.decision is Decision.HALT
    assert answer.reason.startswith("All rings together: 6 of 3,000 hosts")
    assert all(one.decision is Decision.HOLD for one in answer.rings)


def test_the_hash_is_of_the_settings():
    assert Settings().config_hash == Settings().config_hash
    others = [Settings(**{name: value / 2}) for name, value in asdict(Settings()).items()]
    assert len({one.config_hash for one in [Settings(), *others]}) == 1 + len(others)


@pytest.mark.parametrize(
    "wrong", [{"max_excess": 0.0}, {"max_excess": 1.0}, {"max_excess": 5e-324}, {"soak_minutes": 0}]
)
def test_settings_that_make_no_sense_are_refused(wrong):
    with pytest.raises(BadArgument):
        Settings(**wrong)


@pytest.mark.parametrize(
    ("bound", "text"),
    [
        (1.0, "1.0000"),
        (0.0105, "0.0105"),
        (0.00143, "0.0014"),
        (0.00075, "0.00075"),
        (7.49e-6, "0.0000075"),
    ],
)
def test_a_small_bound_is_not_told_as_zero(bound, text):
    assert bound_text(bound) == text


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("canary", "ring canary"),
        ("Ring 1 – früh", "ring Ring 1 – früh"),
        (" ", 'ring " "'),
        ("null", 'ring "null"'),
        ("all", 'ring "all"'),
        (None, "hosts without a ring"),
    ],
)
def test_a_ring_is_told_from_hosts_without_one_and_from_the_sentence_around_it(name, text):
    assert ring_text(name) == text


def test_hosts_of_an_outage_that_a_slow_fault_counts_for_little_are_told():
    struck = ring("early", hosts=8000, hits=[70, 80, 90, 100, 110])
    hits = replace(struck.evidence.hits, beside=np.array([1.0, 1.0, 1.0, 1.0, 50.0]))
    answer = decide(FRESH, [ring(), replace(struck, evidence=replace(struck.evidence, hits=hits))], UNDER)
    assert (
        "5 of 12,000 hosts crashed where 3.7 were expected (1 of them while hosts without it did, too" in answer.reason
    )


def test_a_long_silence_is_told_in_hours():
    assert (
        decide(replace(FRESH, told_us=us(-231)), [ring()], UNDER).reason
        == "Nothing was told of the fleet for 6.0 hours."
    )
