"""What is to be expected: the same of the same hosts, counted by where they are or by what they have."""

from __future__ import annotations

import tracemalloc
from collections.abc import Sequence
from random import Random

import numpy as np
import pytest

from fleetcrash.attribution.backtest import incidents
from fleetcrash.attribution.detection.detector import Detector
from fleetcrash.attribution.expected.baseline import CRASH, CRASH_AT_BOOT, DARK, LAG_MINUTES, Baseline
from fleetcrash.attribution.expected.expectation import Expectation
from fleetcrash.attribution.expected.spots import Spots
from fleetcrash.attribution.facts.exposure import BOOTS
from fleetcrash.attribution.facts.hours import HOURS
from fleetcrash.attribution.facts.news import SYSTEMS
from fleetcrash.attribution.facts.reading import read_news
from fleetcrash.store import Engine
from fleetcrash.times import DAY
from tests.fleetcrash.worlds import Row, World, at, crash_of, lake_of

HOSTS, PUSHED, END = 400, 200, 900


def world(crashes: dict[int, float], *, every: int = 1) -> World:
    """Servers that are always online; every so many get one update at a minute, some crash once, by their numbers."""
    hosts = [f"h{number}" for number in range(HOSTS)]
    return {
        "host": [{"host_id": host, "os_type": "windows", "region": "a"} for host in hosts],
        "update": [{"update_id": "content", "kind": "content", "released_at": at(PUSHED)}],
        "session": [{"host_id": host, "online_from": at(-900)} for host in hosts],
        "install": [{"host_id": host, "update_id": "content", "applied_at": at(PUSHED)} for host in hosts[::every]],
        "crash": [crash_of(number, minute) for number, minute in crashes.items()],
    }


@pytest.mark.parametrize("learned", [{1: 0.0}, {1: 0.0, 2: 250.0, 3: 260.0, 4: 270.0, 5: 280.0}], ids=["less", "more"])
def test_a_wave_and_an_update_in_the_same_hosts_are_held_against_the_same_rates_while_these_are_learned(
    empty_lake, learned
):
    with lake_of(world({**learned, 9: END}), empty_lake) as lake, Engine(lake) as engine:
        detector = Detector(read_news(engine))
        expected = detector._inquiry.expected
        update = [one.update_id for one in detector.news.suspects].index("content")
        rates = []
        for tick in range(detector.news.first_tick, detector.news.last_tick + 1):
            detector.tick(tick)
            minute = tick - int(at(0).timestamp()) // 60
            if minute > PUSHED + 60 and minute % 10 == 0:
                of_update = expected.of_hosts_with(update, tick)[:, :5].sum((1, 2))
                of_fleet = expected.of_slices_since(tick - (minute - PUSHED) + 1)[:, 0]
                assert of_update == pytest.approx(of_fleet, rel=0.05)
                rates.append(of_fleet[0] / (minute - PUSHED))
    assert max(rates) > 1.2 * min(rates)  # they were learned meanwhile


@pytest.mark.slow
def test_what_a_fault_did_before_its_alarm_is_not_learned_from(empty_lake):
    """Hours lie between a slow fault's first crashes and the alarm, and the history is hardly longer."""
    first, early = {1: 100.0}, {2: 310.0, 4: 320.0, 6: 330.0}
    crashes = first | early | {number: 450.0 + number for number in range(8, 200, 2)}
    with lake_of(world(crashes, every=2), empty_lake) as lake, Engine(lake) as engine:
        detector = Detector(read_news(engine))
        for tick in range(detector.news.first_tick, detector.news.last_tick + 1):
            detector.tick(tick)
        assert detector.incidents
        before = int((detector.news.events.minute < detector.incidents[0].alarm_tick - LAG_MINUTES).sum())
        learned = detector._inquiry.expected.baseline.events.sum()
    assert (before, learned) == (len(first) + len(early), len(first))


def test_silence_teaches_nothing_before_anybody_was_told_to_have_left(empty_lake):
    """Who tells of sessions from noon on tells of those that began before, and of none that had ended by then."""
    told_from = 300
    fleet = world({0: told_from + 5.0, 1: END})
    for number, host in enumerate(fleet["host"]):
        host["always_on"] = number >= 100
    for number in (*range(10, 100, 10), 200):
        fleet["session"][number]["online_until"] = at(told_from + number)
    fleet["session"][300]["online_until"] = at(told_from + 2)  # a server, which nobody counts yet
    with lake_of(fleet, empty_lake) as lake, Engine(lake) as engine:
        detector = Detector(read_news(engine))
        start = int(at(0).timestamp()) // 60
        first_left, first_crash = detector.news.first_left_minute - start, detector.news.first_crash_minute - start
        for tick in range(detector.news.first_tick, detector.news.last_tick + 1):
            detector.tick(tick)
        baseline = detector._inquiry.expected.baseline
    assert first_left == told_from + 10 + 10  # a session's end is known ten minutes after it
    last_learned = (END + first_crash) / 2  # older than half of the history
    assert baseline.minutes[DARK] == pytest.approx(last_learned - first_left, abs=2)
    assert baseline.host_minutes[:, DARK].sum() == pytest.approx(299 * baseline.minutes[DARK], rel=0.01)
    assert baseline.events[DARK].sum() == 1


@pytest.mark.slow
@pytest.mark.parametrize(("laptops", "learns"), [(0, True), (100, False)])
def test_while_nobody_has_left_silence_teaches_in_a_fleet_of_servers_alone(empty_lake, laptops, learns):
    """As of an instant before the first one leaves; what comes later changes nothing of that."""
    fleet = world({0: 5.0, 1: 600.0, 2: END})
    for number, host in enumerate(fleet["host"]):
        host["always_on"] = number >= laptops
    fleet["session"][10]["online_until"] = at(END - 60)
    learned = []
    for instant in (at(600), None):
        with lake_of(fleet, empty_lake) as lake, Engine(lake, as_of=instant) as engine:
            detector = Detector(read_news(engine))
            for tick in range(detector.news.first_tick, int(at(600).timestamp()) // 60 + 1):
                detector.tick(tick)
            learned.append(int(detector._inquiry.expected.baseline.minutes[DARK]))
    assert learned[0] == learned[1]
    assert (learned[0] > 0) == learns


@pytest.mark.parametrize(("minutes", "margin"), [(0, 3.0), (720, 2.25), (1440, 1.5), (14400, 1.5)])
def test_the_margin_is_wider_until_a_whole_day_was_learned_from(minutes, margin):
    baseline = Baseline(spots=1)
    baseline.minutes += minutes
    may_come = baseline.at_risk(np.ones((SYSTEMS, 2, BOOTS))) > 0
    baseline.events += 1e6 * may_come
    baseline.host_minutes += 1e12 / HOURS * may_come
    assert baseline.caution() == pytest.approx(margin, rel=0.01)


def quiet(hosts: int, *, minutes: int, crashes: int = 0) -> Baseline:
    """A baseline that has learned from a fleet for so long, in which little or nothing happened."""
    baseline = Baseline(spots=1)
    baseline.minutes += minutes
    baseline.events[CRASH, 0, -1] = crashes
    baseline.host_minutes[:, :, 0, -1] = hosts * minutes / HOURS
    return baseline


@pytest.mark.parametrize(("hosts", "minutes"), [(1, 60), (30, 60), (60, 60), (1, 1440)])
def test_of_a_small_fleet_without_a_crash_no_more_is_allowed_for_than_that_each_host_crashes_once_a_day(hosts, minutes):
    baseline = quiet(hosts, minutes=minutes)
    allowed = baseline.caution() * baseline.rates()[:, 0, -1] * 1440
    assert allowed[CRASH] == pytest.approx(1.0)
    assert allowed[DARK] > 1.0, "a server may be dark more than once"


def test_what_a_host_may_do_at_most_is_certain_where_less_was_seen_than_that_allows_for():
    of_a_few, of_more = quiet(1, minutes=60).learned(), quiet(400, minutes=1440).learned()
    assert of_a_few.safety[CRASH] == quiet(1, minutes=60).caution()[CRASH]
    assert of_a_few.events[CRASH] == of_a_few.expected[CRASH] >= 1e9
    assert of_more.safety[CRASH] == pytest.approx(1.5)
    assert quiet(400, minutes=1440).caution()[CRASH] > 2.0
    assert of_more.events[CRASH] == 0
    assert of_more.expected[CRASH] == pytest.approx(400 * 1440 * quiet(400, minutes=1440).rates()[CRASH, 0, -1])


def test_of_hosts_that_were_never_seen_to_boot_five_times_as_much_is_allowed_for_at_boots():
    baseline = quiet(400, minutes=700)
    baseline.host_minutes[:, CRASH_AT_BOOT] = 0.0
    allowed = baseline.caution()[CRASH_AT_BOOT] * baseline.rates()[CRASH_AT_BOOT, 0, 0] * 1440
    assert allowed == pytest.approx(5.0)


def test_hosts_that_crash_far_more_at_boots_than_is_usual_are_allowed_no_more_than_what_they_did_may_be_by_chance():
    """What was learned of them is what the margin is held against, and not what is usual of any fleet."""
    baseline = quiet(3000, minutes=4 * DAY)
    baseline.host_minutes[:, CRASH_AT_BOOT] = 0.0
    baseline.host_minutes[:, CRASH_AT_BOOT, 0, 0] = 120_000 / HOURS
    baseline.events[CRASH_AT_BOOT, 0, 0] = 60
    allowed = baseline.caution()[CRASH_AT_BOOT] * baseline.rates()[CRASH_AT_BOOT, 0, 0] * 120_000
    assert 75 < allowed < 95, "60 events are of no more than 80 by a hundred to one, or half as many again"


def test_before_anybody_was_online_nothing_is_allowed_for_and_where_hosts_crash_that_often_the_margin_stays():
    assert np.isinf(quiet(0, minutes=0).caution()).all()
    assert quiet(100, minutes=14400, crashes=10_000).caution()[CRASH] == pytest.approx(1.5)


SMALL = 40


def small_fleet(crashes: Sequence[Row]) -> World:
    """Hosts of which no crash was ever told until ten o'clock, and no update."""
    return {
        "host": [{"host_id": f"h{n}", "os_type": "windows", "region": "ab"[n % 2]} for n in range(SMALL)],
        "session": [{"host_id": f"h{n}", "online_from": at(-1440)} for n in range(SMALL)],
        "crash": list(crashes),
    }


def test_a_small_fleet_that_has_never_crashed_raises_an_alarm_when_many_of_its_hosts_do(empty_lake):
    random = Random(0)
    with lake_of(small_fleet([crash_of(n, 600 + random.uniform(0, 15)) for n in range(16)]), empty_lake) as lake:
        assert len(incidents(lake, as_of=at(660))["incidents"]) == 1


def test_but_none_as_it_begins_to_tell_crashes_of_which_every_host_has_one_in_a_day(empty_lake):
    random = Random(0)
    crashes = [crash_of(n, 600 + random.uniform(0, 1440)) for n in range(SMALL)]
    with lake_of(small_fleet(crashes), empty_lake) as lake:
        assert not incidents(lake, as_of=at(2050))["incidents"]


def learned(events: list[float], expected: list[float]) -> Baseline:
    """What was seen in slices, of which the first is the whole fleet, and what was expected when it was learned."""
    baseline = Baseline(spots=len(events))
    baseline.spot_events[DARK], baseline.spot_expected[DARK] = events, expected
    return baseline


@pytest.mark.parametrize("scale", [0.1, 1.0, 10.0])
def test_a_rate_that_was_wrong_at_first_is_no_slices_doing(scale):
    factors = learned([100.0, 100.0, 60.0, 40.0], [100.0 * scale, 100.0 * scale, 60.0 * scale, 40.0 * scale]).factors()
    assert factors[DARK] == pytest.approx([1.0, 1.0, 1.0, 1.0])


def test_a_slice_is_held_against_the_whole_fleet():
    factors = learned([100.0, 60.0, 40.0], [500.0, 100.0, 400.0]).factors()[DARK]
    assert factors == pytest.approx([1.0, (60 + 10) / (20 + 10), (40 + 10) / (80 + 10)])


@pytest.mark.parametrize(("released", "is_new"), [(0, True), (-8 * DAY, False)])
def test_the_crashes_of_a_version_of_these_days_are_not_what_is_usual_of_it(empty_lake, released, is_new):
    """Of the version before they are, and of the model that all of the new one's hosts are of."""
    fleet = world({1: 600.0})
    for number, row in enumerate(fleet["host"]):
        row |= {"agent_version": "21"[number % 2], "model": "ab"[number % 2]}
    fleet["update"] += [{"update_id": "agent", "kind": "agent", "version": "2", "released_at": at(released)}]
    with lake_of(fleet, empty_lake) as lake, Engine(lake, as_of=at(END)) as engine:
        news = read_news(engine)
    spots = Spots(news)
    expectation = Expectation(news, spots)
    expectation.baseline.spot_events[:], expectation.baseline.spot_expected[:] = 100.0, 50.0
    expectation.baseline.spot_expected[:, 0] = 100.0
    factors = expectation._factors(int(at(END).timestamp()) // 60)[CRASH]
    raised = {spots.name(spot) for spot in np.flatnonzero(factors > 1.0).tolist()}
    assert (("agent_version", "2") in raised) is not is_new
    assert {("agent_version", "1"), ("model", "a")} <= raised


def expected_so_far(detector: Detector) -> dict[tuple[str, str], list[float]]:
    """Events by outcome, of each slice and place."""
    named = detector.spots.name
    return {named(spot): detector.expected[:, spot].tolist() for spot in range(len(detector.spots))}


@pytest.mark.parametrize("grows", [False, True])
def test_a_live_tick_copies_what_is_kept_of_every_place_only_where_there_are_more_of_them(empty_lake, grows):
    """Minutes of a day at thousands of sites are hundreds of megabytes."""
    places = 500
    fleet = world({1: 0.0, 3: 100.0, 5: END})
    for number, row in enumerate(fleet["host"]):
        row |= {"site": f"site {number}"}
    last = fleet["host"][0]
    fleet["host"] += [{**last, "site": "new site", "seen_at": at(END)}] * grows
    fleet["host"] += [{**last, "host_id": f"p{number}", "site": f"place {number}"} for number in range(places - HOSTS)]
    with lake_of(fleet, empty_lake) as lake, Engine(lake) as engine:
        engine.as_of = at(END - 1)
        news = read_news(engine)
        detector = Detector(news)
        for tick in range(news.first_tick, news.last_tick + 1):
            detector.tick(tick)
        before = expected_so_far(detector)
        engine.as_of = at(END + 1)
        later = read_news(engine, after_tick=news.last_tick)
        tracemalloc.start()
        try:
            detector.extend(later)
            _, peak_bytes = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    after = expected_so_far(detector)
    assert {name: after[name] for name in before} == before
    assert len(after) == len(before) + grows
    of_a_day = detector._inquiry.expected._until.nbytes
    assert of_a_day > 8 * 3 * DAY * places
    assert peak_bytes > of_a_day if grows else peak_bytes < 0.3 * of_a_day
