"""A known fault strikes again: as more hosts get what it needs besides, and where the morning comes later."""

from __future__ import annotations

from random import Random
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import numpy as np
import pytest

from fleetcrash.attribution.backtest import incidents
from fleetcrash.attribution.detection.claims import Claims
from fleetcrash.attribution.hearing import older
from fleetcrash.attribution.incidents.case import KnownFault
from fleetcrash.attribution.incidents.incident import Incident
from tests.fleetcrash.worlds import Row, World, at, crash_of, lake_of

if TYPE_CHECKING:
    from fleetcrash.attribution.hearing.older import StruckHosts
    from fleetcrash.attribution.hypotheses.inquiry import Inquiry
    from fleetcrash.attribution.incidents.case import Case

HOSTS = [f"h{number}" for number in range(400)]
WITH_POLICY, LATER, NEVER = HOSTS[:200], HOSTS[200:230], HOSTS[230:]
GOT_POLICY, GOT_BAD, GOT_POLICY_LATER = 10, 1500, 2000


def install(host: str, update: str, minute: float) -> Row:
    return {"host_id": host, "update_id": update, "applied_at": at(minute), "received_at": at(minute)}


def crash(host: str, minute: float) -> Row:
    return {
        "crash_id": f"{host}-{minute}",
        "host_id": host,
        "os_type": "windows",
        "occurred_at": at(minute),
        "received_at": at(minute + 0.2),
    }


def world(struck_later: list[str]) -> World:
    """Whoever has both updates crashes; then some get the policy late, and of them some crash.

    Args:
        struck_later: hosts that crash soon after they got the policy late.
    """
    late = sorted({*LATER, *struck_later})
    spread = {host: GOT_POLICY_LATER + number for number, host in enumerate(late)}
    return {
        "host": [{"host_id": host, "os_type": "windows"} for host in HOSTS],
        "update": [
            {"update_id": "policy", "kind": "policy", "channel": None, "released_at": at(0)},
            {"update_id": "bad", "kind": "content", "channel": "1", "released_at": at(GOT_BAD)},
        ],
        "session": [{"host_id": host, "online_from": at(-600), "online_until": None} for host in HOSTS],
        "install": [
            *(install(host, "policy", GOT_POLICY) for host in WITH_POLICY),
            *(install(host, "bad", GOT_BAD + number % 60) for number, host in enumerate(HOSTS)),
            *(install(host, "policy", minute) for host, minute in spread.items()),
        ],
        "crash": [
            *(crash(HOSTS[number * 97 % 400], number * 60.0) for number in range(2, 20)),
            *(crash(host, GOT_BAD + number % 60 + 0.5) for number, host in enumerate(HOSTS) if host in WITH_POLICY),
            *(crash(host, spread[host] + 0.5) for host in struck_later),
        ],
    }


@pytest.fixture
def said(empty_lake):
    """The incidents of a world: all the names that each gave, and the condition in the end."""

    def of(told: World):
        with lake_of(told, empty_lake) as lake:
            found = incidents(lake)["incidents"]
        return [({turn["update_id"] for turn in each["history"]} - {None}, each["condition"]) for each in found]

    return of


@pytest.mark.slow
def test_a_known_fault_is_told_again_where_hosts_get_what_it_needs(said):
    assert said(world(LATER)) == [({"bad"}, {"with_update": "policy"})] * 2


@pytest.mark.slow
@pytest.mark.parametrize("before", [GOT_BAD - 70, GOT_POLICY_LATER - 30], ids=["the guilty one", "hosts get that"])
def test_and_not_what_it_needs_where_hosts_with_that_alone_had_crashed_before_for_other_reasons(said, before):
    told, others = world(LATER), NEVER[:40]
    told["install"] = [one for one in told["install"] if one["host_id"] not in others or one["update_id"] != "bad"]
    told["install"] += [install(host, "policy", before - 70 + number) for number, host in enumerate(others)]
    told["crash"] += [crash(host, before + 8 * number) for number, host in enumerate(others[:4])]
    assert [names for names, _ in said(told)][-1] == {"bad"}


@pytest.mark.slow
def test_hosts_without_the_guilty_one_are_not_of_the_known_fault(said):
    told = world(NEVER[::4])
    lacking = [each for each in told["install"] if not (each["update_id"] == "bad" and each["host_id"] in NEVER[::4])]
    first, second = said({**told, "install": lacking})
    assert first == ({"bad"}, {"with_update": "policy"})
    assert "bad" not in second[0]


RELEASED, REGIONS = 60, {"emea": (range(300), 180), "apac": (range(300, 600), 900)}
FRESH = 800


def empty_world() -> World:
    """Two updates, and a few crashes to begin with."""
    return {
        "host": [],
        "update": [
            {"update_id": "bad", "kind": "content", "channel": "1", "released_at": at(RELEASED)},
            {"update_id": "fresh", "kind": "content", "channel": "2", "released_at": at(FRESH)},
        ],
        "session": [],
        "install": [],
        "crash": [crash(f"h{number}", number * 10.0) for number in range(3)],
    }


def mornings(random: Random, *, lacking: float, struck: float, by_region: bool = False) -> World:
    """Hosts of two regions boot, each in its own morning, and get what was sent out shortly before; some crash.

    Args:
        lacking: how many of the later region lack the update that the earlier one crashes by.
        struck: how likely a host of the later region crashes at its boot. by_region: whether it has the update or not.
    """
    world = empty_world()
    for region, (hosts, morning) in REGIONS.items():
        for number in hosts:
            host, boots_at = f"h{number}", morning + random.uniform(0, 120)
            is_early = region == "emea"
            has_it = random.random() >= (0.2 if is_early else lacking)
            world["host"].append({"host_id": host, "os_type": "windows", "region": region})
            world["session"] += [
                {"host_id": host, "online_from": at(-600), "online_until": at(RELEASED + 20)},
                {"host_id": host, "online_from": at(boots_at), "online_until": at(boots_at + 200)},
            ]
            if has_it:
                world["install"].append(install(host, "bad", RELEASED + random.uniform(0, 10)))
            if not is_early:
                world["install"].append(install(host, "fresh", boots_at + 0.3))
            if random.random() < (0.7 if is_early else struck) and (has_it or (by_region and not is_early)):
                world["crash"].append(crash(host, boots_at + random.uniform(0.5, 3)))
    return world


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2))
def test_a_fault_that_waits_for_boots_is_told_again_in_a_region_whose_morning_comes_later(said, seed):
    assert said(mornings(Random(seed), lacking=0.4, struck=0.5)) == [({"bad"}, None), ({"bad"}, {})]


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2))
def test_but_not_where_the_hosts_there_that_lack_it_crash_as_well(said, seed):
    first, *others = [names for names, _ in said(mornings(Random(seed), lacking=0.4, struck=0.3, by_region=True))]
    assert first == {"bad"}
    assert others
    assert not any("bad" in names for names in others)


PUSHED_TO, LATE_RISERS, DAWN = range(400), range(400, 700), 900


def comes_online_later(
    random: Random,
    *,
    struck: float,
    struck_later: float,
    had_it: bool = False,
    dawn: float = DAWN,
    within: float = 3,
) -> World:
    """An update is pushed to half of a fleet; the others get it as they come online, with what was sent out meanwhile.

    Args:
        struck: how likely a host of the first half crashes within minutes. struck_later: one of the others, at that.
        had_it: the others were online at the push and got it as well, and crash as they come online again.
        dawn: when the others begin to come online; ``fresh`` is released at minute FRESH.
        within: so many minutes.
    """
    world = empty_world()
    for number in (*PUSHED_TO, *LATE_RISERS):
        host, is_late = f"h{number}", number in LATE_RISERS
        pushed, boots_at = RELEASED + random.uniform(0, 10), dawn + random.uniform(0, 120)
        got = boots_at + random.uniform(0.2, 0.5) if is_late and not had_it else pushed
        left = (RELEASED + 30 if had_it else RELEASED - 20) if is_late else 1200
        world["host"].append({"host_id": host, "os_type": "windows", "region": "apac" if is_late else "emea"})
        world["session"].append({"host_id": host, "online_from": at(-600), "online_until": at(left)})
        world["install"].append(install(host, "bad", got))
        if is_late:
            world["session"].append({"host_id": host, "online_from": at(boots_at), "online_until": at(1200)})
            world["install"].append(install(host, "fresh", boots_at + 0.3))
        if random.random() < (struck_later if is_late else struck):
            world["crash"].append(crash(host, (boots_at + 0.5 if is_late else got) + random.uniform(0.1, within)))
    return world


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2))
def test_who_comes_online_later_is_struck_by_the_known_fault_and_not_by_what_else_they_get(said, seed):
    first, *later = said(comes_online_later(Random(seed), struck=0.2, struck_later=0.2))
    assert first[0] == {"bad"}
    assert later
    assert all(names == {"bad"} for names, _ in later)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_nor_while_the_fault_goes_on_in_a_ring_that_gets_it_then(said, seed):
    random = Random(seed)
    told = comes_online_later(random, struck=0.2, struck_later=0.2, dawn=FRESH + 10, within=25)
    for row in told["host"]:
        row["ring"] = "r0"
    for number in range(1000, 1400):
        host, got = f"h{number}", random.uniform(FRESH - 250, FRESH + 350)
        told["host"].append({"host_id": host, "os_type": "windows", "region": "emea", "ring": "r3"})
        told["session"].append({"host_id": host, "online_from": at(-600), "online_until": at(1200)})
        told["install"].append(install(host, "bad", got))
        if random.random() < 0.2:
            told["crash"].append(crash(host, got + random.uniform(0.1, 25)))
    assert all(names == {"bad"} for names, _ in said(told))


@pytest.mark.slow
@pytest.mark.parametrize(
    "how",
    [{"struck": 0.05, "struck_later": 0.6}, {"struck": 0.2, "struck_later": 0.2, "had_it": True}],
    ids=["far more than it was to strike", "hosts that had it for hours"],
)
@pytest.mark.parametrize("seed", range(2))
def test_what_it_was_not_to_bring_about_is_not_the_known_faults(said, seed, how):
    first, *later = said(comes_online_later(Random(seed), **how))
    assert first[0] == {"bad"}
    assert later
    assert not any("bad" in names for names, _ in later)


@pytest.mark.slow
def test_hosts_that_were_spared_since_leave_nothing_open_for_a_later_rise(said):
    """For hours others get the update and fare well; that many more were to be struck by then says nothing of now."""
    told = comes_online_later(Random(3), struck=0.05, struck_later=0.6)
    for number in range(1000, 4000):
        host, got = f"h{number}", 250 + 0.15 * (number - 1000)
        told["host"].append({"host_id": host, "os_type": "windows", "region": "emea"})
        told["session"].append({"host_id": host, "online_from": at(-600), "online_until": at(1200)})
        told["install"].append(install(host, "bad", got))
    first, *later = said(told)
    assert first[0] == {"bad"}
    assert later
    assert not any("bad" in names for names, _ in later)


@pytest.mark.slow
def test_an_update_that_hosts_have_before_its_release_is_in_no_endless_row_of_incidents(said):
    found = said(comes_online_later(Random(1), struck=0.2, struck_later=0.2, had_it=True, dawn=FRESH - 100))
    assert 2 <= len(found) <= 4


def test_a_condition_rests_on_the_other_incidents_of_its_update_and_on_nothing_that_its_own_has_left_to_others():
    incidents_of_it = [Incident.opened(number, 0) for number in range(4)]
    for number, (incident, update) in enumerate(zip(incidents_of_it, (7, 7, 9, None), strict=True)):
        incident.said.update = update
        incident.set_claim(np.arange(4) == number)
    claims = Claims(cast("Inquiry", SimpleNamespace(too_early=np.zeros(4, bool))))
    assert claims.of_others(incidents_of_it[0], incidents_of_it, 7).tolist() == [False, True, False, False]
    assert not claims.of_others(incidents_of_it[2], incidents_of_it, None).any()


@pytest.mark.slow
def test_a_region_that_boots_before_the_fault_is_known_is_told_of_it_as_soon_as_it_is(simulated):
    """All hosts of the region have the update, so that nothing but the other regions' hosts tells it from a wave."""
    found = incidents(simulated("delayed-reboot", hosts=20_000, seed=2101))["incidents"]
    named = [{turn["update_id"] for turn in each["history"]} for each in found]
    told = [{turn["verdict"] for turn in each["history"]} for each in found]
    assert set().union(*named) == {None, "content-278-180"}
    assert "no_update" not in set().union(*told)
    assert "update" in told[0] & told[1]


def _struck_again(hosts: range) -> World:
    """Four in five hosts get an update, one in ten crashes of it; more than a day later some crash, one a minute."""
    every = range(600)
    return {
        "host": [{"host_id": f"h{n}", "os_type": "windows", "always_on": True} for n in every],
        "session": [{"host_id": f"h{n}", "online_from": at(0)} for n in every],
        "update": [{"update_id": "u", "kind": "content", "channel": "1", "released_at": at(300)}],
        "install": [{"host_id": f"h{n}", "update_id": "u", "applied_at": at(300 + n / 10)} for n in every if n % 5],
        "crash": [
            *(crash_of(n, 2 + n * 0.9) for n in every[::85]),
            *(crash_of(n, 303 + n / 10) for n in every[1::10]),
            *(crash_of(n, 2200 + minute) for minute, n in enumerate(hosts)),
            crash_of(595, 2400),
        ],
    }


@pytest.mark.slow
@pytest.mark.parametrize(
    ("hosts", "verdict", "suspected"),
    [
        pytest.param(range(2, 102, 5), "cannot_separate", ["u"], id="those that have it"),
        pytest.param(range(2, 102, 4), "no_update", [], id="whoever has it and who lacks it"),
    ],
)
def test_what_strikes_a_named_updates_hosts_alone_days_later_is_not_said_to_follow_none(
    empty_lake, hosts, verdict, suspected
):
    with lake_of(_struck_again(hosts), empty_lake) as lake:
        first, again = incidents(lake)["incidents"]
    assert first["update_id"] == "u"
    assert again["history"][-1]["verdict"] == verdict
    assert [one["update_id"] for one in again["candidates"]] == suspected


OWN, OTHER, UNTOLD = 0, 1, -1  # modules of crashes


@pytest.mark.parametrize(
    ("known", "struck", "had", "again"),
    [
        ([OWN] * 6 + [OTHER], [OWN] * 4 + [OTHER], 5, True),
        ([OWN] * 6 + [OTHER], [OWN] * 4 + [UNTOLD], 4, True),
        ([OWN] * 4 + [UNTOLD] * 9, [OWN] * 5, 5, False),
        ([OWN] * 5 + [OTHER] * 5, [OWN] * 5, 5, False),
        ([OWN] * 6, [OWN, OTHER, OTHER, OTHER, OWN], 5, False),
        ([OWN] * 6, [UNTOLD] * 5, 5, False),
        ([OWN] * 6, [OWN] * 5, 3, False),
    ],
    ids=[
        "mostly where it crashed them",
        "some do not tell where",
        "too few told it before",
        "it crashed them here and there",
        "they crash elsewhere",
        "nobody tells where",
        "some of them lack it",
    ],
)
def test_what_crashes_hosts_where_a_known_fault_did_may_be_more_of_it(known, struck, had, again):
    of_event = np.array(known + struck)
    first, events = len(known), np.arange(len(known) + len(struck))
    modules = SimpleNamespace(
        of_event=of_event,
        count=lambda some: np.bincount(of_event[some & (of_event >= 0)], minlength=2),
    )
    inquiry = SimpleNamespace(modules=modules, events_ever_with=lambda *_: events < first + had)
    case = SimpleNamespace(tick=0, known_faults=(KnownFault(7, frozenset(), events < first),))
    struck_hosts = cast("StruckHosts", SimpleNamespace(inquiry=inquiry, events=events[first:]))
    assert older._again(cast("Case", case), 0, struck_hosts) == ((7,) if again else ())


@pytest.mark.parametrize(("is_whole", "had", "again"), [(True, 5, True), (True, 3, False), (False, 5, False)])
def test_where_no_crash_tells_its_module_a_rise_of_a_whole_system_may_be_more_of_a_known_fault(is_whole, had, again):
    events, spots = np.arange(11), SimpleNamespace(is_whole=lambda _: is_whole)
    modules = SimpleNamespace(of_event=np.full(11, UNTOLD), count=lambda _: np.zeros(0, np.int64))
    inquiry = SimpleNamespace(modules=modules, spots=spots, events_ever_with=lambda *_: events < 6 + had)
    case = SimpleNamespace(tick=0, known_faults=(KnownFault(7, frozenset(), events < 6),))
    struck_hosts = cast("StruckHosts", SimpleNamespace(inquiry=inquiry, events=events[6:]))
    assert older._again(cast("Case", case), 0, struck_hosts) == ((7,) if again else ())
