"""What waiting cost: a world counted by hand, and what holds in every world."""

from __future__ import annotations

import pytest
from hypothesis import given, settings

from fleetcrash.attribution.reporting.delay import Delay, Range, attributable, delay_of, first_ring
from fleetcrash.attribution.reporting.impact import impact_of
from fleetcrash.store import Engine
from tests.fleetcrash.worlds import World, at, instants, lake_of, told_worlds

HOSTS = [f"h{number}" for number in range(10)]


def world(*, reverted: float | None = None, installs: bool = True) -> World:
    """Ten hosts that get an update at minutes 0, 2, 4, ...; the first six crash a minute later, h9 before it as well.

    h8 is a Mac and h7 a server that goes dark; h0 crashed long before, in the time that is compared.
    """
    crashed = [(f"h{number}", 2 * number + 1) for number in range(6)] + [("h9", 19), ("h9", 17), ("h0", -3)]
    return {
        "host": [
            {"host_id": host, "os_type": "darwin" if host == "h8" else "windows", "always_on": host == "h7"}
            for host in HOSTS
        ],
        "update": [
            {
                "update_id": "u",
                "kind": "content",
                "released_at": at(0),
                "reverted_at": None if reverted is None else at(reverted),
            }
        ],
        "session": [
            {"host_id": host, "online_from": at(-600), "online_until": at(16) if host == "h7" else None}
            for host in HOSTS
        ],
        "install": [
            {"host_id": host, "update_id": "u", "applied_at": at(2 * number)}
            for number, host in enumerate(HOSTS if installs else ())
        ],
        "crash": [
            {"crash_id": f"c{number}", "host_id": host, "occurred_at": at(minute), "os_type": "windows"}
            for number, (host, minute) in enumerate(crashed)
        ],
    }


def delay(empty_lake, told: World, minute: float, condition=None) -> Delay:
    """The delay as of a minute."""
    with lake_of(told, empty_lake) as lake, Engine(lake, as_of=at(minute)) as engine:
        found = delay_of(engine, "u", impact_of(engine, "u", condition))
    assert found is not None
    return found


def test_hosts_that_got_it_later_are_spared_and_those_that_crashed_anyway_are_not(empty_lake):
    found = delay(empty_lake, world(), 40)
    assert (found.exposed, found.hit, found.is_assumed) == (10, 8, False)  # six that crash, the dark h7, and h9
    assert [each.halted_at for each in found.halts] == [at(minute) for minute in range(41)]
    counted = {minute: (found.at(at(minute)).exposed, found.at(at(minute)).hit) for minute in (0, 1, 5, 7, 14, 18, 40)}
    assert counted == {0: (10, 8), 1: (9, 7), 5: (7, 5), 7: (6, 4), 14: (2, 1), 18: (0, 0), 40: (0, 0)}
    # Each had it as long as is compared before it: h0 was hit in the 40 minutes before, h9 a minute before.
    assert found.at(at(0)).because.estimate == pytest.approx(8 - 2)
    assert found.at(at(5)).because.estimate == pytest.approx(5 * (8 - 2) / 8)


def test_only_hosts_of_the_condition_count(empty_lake):
    found = delay(empty_lake, world(), 40, {"os_type": "darwin"})
    assert (found.exposed, found.hit, found.halts[0].because) == (1, 0, Range(0.0, 0.0, 0.0))


def test_what_came_later_is_not_used(empty_lake):
    found = delay(empty_lake, world(), 5)
    assert (found.exposed, found.hit, found.halts[-1].halted_at) == (3, 3, at(5))


def test_it_ends_with_the_withdrawal_after_which_some_still_got_it(empty_lake):
    found = delay(empty_lake, world(reverted=13), 40)
    assert found.halts[-1].halted_at == at(13)
    assert found.halts[-1].exposed == 3


def test_without_an_install_on_record_a_host_counts_from_the_release(empty_lake):
    found = delay(empty_lake, world(installs=False), 40)
    assert found.is_assumed
    assert [each.exposed for each in found.halts[:2]] == [10, 0]


def test_of_a_release_of_decades_ago_no_more_halts_are_told(empty_lake):
    ages = {**world(), "update": [{"update_id": "u", "kind": "content", "released_at": "1970-01-01T00:00:00Z"}]}
    found = delay(empty_lake, ages, 40)
    assert 2870 < len(found.halts) <= 2881
    assert (found.halts[0].exposed, found.halts[-1].exposed) == (10, 0)
    assert found.at(at(40)) == found.halts[-1]
    assert found.halts[-1].halted_at == at(40)


def test_an_update_that_has_reached_nobody_has_no_cost(empty_lake):
    with lake_of(world(), empty_lake) as lake, Engine(lake, as_of=at(40)) as engine:
        assert delay_of(engine, "another", impact_of(engine, "another", None)) is None


@pytest.mark.slow
@settings(max_examples=3, deadline=None, derandomize=True)
@given(told_worlds(), instants(least=30))
def test_the_earlier_the_halt_the_more_it_spares(empty_lake, told, when):
    with lake_of(told, empty_lake) as lake, Engine(lake) as engine:
        for instant in when:
            engine.as_of = instant
            for update in ("a1", "a2"):
                impact = impact_of(engine, update, None)
                found = delay_of(engine, update, impact)
                assert (found is None) == (impact.exposed == 0)
                if found is None:
                    continue
                first, last = found.halts[0], found.halts[-1]
                if len(found.halts) > 1:
                    assert (first.exposed, first.hit) == (impact.exposed, found.hit)  # it would have reached nobody
                if last.halted_at == instant:
                    assert (last.exposed, last.hit) == (0, 0)  # nothing is undone
                for earlier, later in zip(found.halts, found.halts[1:], strict=False):
                    assert earlier.exposed >= later.exposed
                    assert earlier.because.estimate >= later.because.estimate
                for each in found.halts:
                    assert 0 <= each.because.low <= each.because.estimate <= each.because.high <= each.hit
                    assert each.hit <= each.exposed


def test_the_attributable_share_is_none_of_equal_rates_and_open_without_a_time_before():
    equal = attributable(4, 4, had=10.0, before=10.0)
    assert (equal.low, equal.estimate) == (0.0, 0.0)
    assert equal.high == pytest.approx(1 - 1.0899 / 4, abs=1e-3)  # Garwood's lower bound of four seen
    assert attributable(4, 1, had=20.0, before=10.0).estimate == 0.5
    assert attributable(4, 0, had=10.0, before=0.0) == Range(0.0, 1.0, 1.0)


def test_a_first_ring_is_a_draw_from_the_hosts():
    ring = first_ring(1000, 500)
    assert (ring.hosts, ring.hit.estimate) == (10, 5.0)
    assert (ring.hit.low, ring.hit.high) == (2.0, 8.0)  # P(<= 1) = 0.010, P(<= 2) = 0.054, and so at the other end
    assert first_ring(1000, 1000).hit == Range(10.0, 10.0, 10.0)
    assert first_ring(3, 0).hit == Range(0.0, 0.0, 0.0)
