"""The scoreboard: what the baselines make of counts made by hand, that they see nothing early, how they are judged."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from math import log, log10

import numpy as np
import pytest

from bench.attribution.oracle import Known
from bench.scoreboard.__main__ import held_to, thresholds
from bench.scoreboard.baselines import BASELINES, Course, chi_square, control_chart, seasonal_forecast, votes_and_vetoes
from bench.scoreboard.fleets import METHODS, ORACLE, OURS, Fault, Row, Said, Verdict, held_against, ours
from bench.scoreboard.page import Settings, page, unbeaten
from bench.scoreboard.seen import Seen, read
from fleetcrash.store import Engine, Lake
from fleetcrash.times import tick_time
from ingest.load import load
from sample_data.simulator import simulate

TICKS = 2000
ONLINE = 1000.0
RELEASED = datetime(2026, 3, 4, 12, tzinfo=UTC)


def seen(arrived=(), *, exposed=(), pairs=(), released=(100, 1500), signature=None) -> Seen:
    """A thousand hosts, online for 2,000 minutes, and two updates.

    Args:
        arrived: the minutes of events. exposed: (update, from minute, hosts). pairs: (event, update, age).
    """
    arrived = np.array(arrived, np.int64)
    hosts, hits = np.zeros((2, TICKS)), np.zeros((2, TICKS))
    for update, minute, number in exposed:
        hosts[update, minute:] += number
    for event, update, age in pairs:
        hits[update, arrived[event]] += 0 <= age < 1440
    return Seen(
        first_tick=0,
        updates=("a", "b"),
        released=np.array(released, np.int64),
        online=np.full(TICKS, ONLINE),
        exposed=hosts,
        arrived=arrived,
        signature=np.zeros(len(arrived), np.int64) if signature is None else np.array(signature, np.int64),
        exposed_arrived=hits,
        pair_event=np.array([event for event, _, _ in pairs], np.int64),
        pair_update=np.array([update for _, update, _ in pairs], np.int64),
        pair_tick=np.array([arrived[event] for event, _, _ in pairs], np.int64),
        pair_age=np.array([age for _, _, age in pairs], float),
    )


def test_an_episode_is_blamed_once_and_over_after_an_hour():
    score = np.zeros(300)
    score[[10, 11, 60, 200]] = 5.0
    update = np.arange(300)
    assert Course(score, update).episodes(5.0) == [(10, 10), (200, 200)]
    assert Course(score, update).episodes(5.1) == []


def test_the_control_chart_rises_with_a_burst_and_blames_the_latest_release():
    course = control_chart(seen([*range(0, 1600, 40), *[1600] * 8]))
    assert course.score[1599] < 3 < 20 < course.score[1600]
    assert (course.update[99], course.update[1499], course.update[1600]) == (-1, 0, 1)


def test_the_forecast_knows_the_hour_of_the_day():
    yesterday = [150] * 20
    again = seasonal_forecast(seen([*yesterday, *[1590] * 6])).highest
    anew = seasonal_forecast(seen([*[minute - 75 for minute in yesterday], *[1590] * 6])).highest
    assert again < 2.5 < 5 < anew


def test_the_forecast_scores_the_poisson_tail():
    # Half an event is taken to have come in the 1,240 minutes up to an hour ago; there is no day before this one.
    score = seasonal_forecast(seen([1300] * 2)).score[1300]
    mean = 10 * 0.5 / 1240
    assert score == pytest.approx(-log10(mean**2 / 2), abs=0.05)


def test_gandalf_counts_votes_and_vetoes():
    votes = [(event, 0, 30.0) for event in range(6)] + [(6, 0, 300.0)]
    found = votes_and_vetoes(seen([400 + 10 * event for event in range(8)], pairs=[*votes, (7, 0, -60.0)]))
    # Of 7 votes, 6 are within an hour and one later; one veto. The eighth event is no vote, and 7 of 8 are near enough.
    expected = (log((6 - 1 + 1) / 2) + 3 * log((7 - 1 + 1) / 2)) / 4
    decay = 0.1 + 0.9 * np.exp(-(470 - 100) / 1440)
    assert found.score[470] == pytest.approx(expected * decay)
    assert found.update[470] == 0
    assert found.score[469] > found.score[470]


def test_gandalf_leaves_out_a_deployment_that_has_few_of_the_faults():
    events = [400 + event for event in range(10)]
    few = votes_and_vetoes(seen(events, pairs=[(event, 0, 5.0) for event in range(4)]))
    assert few.score[409] == 0
    by_module = votes_and_vetoes(
        seen(events, pairs=[(event, 0, 5.0) for event in range(4)], signature=[0] * 4 + [1] * 6)
    )
    assert by_module.score[409] == pytest.approx(log(5) * (0.1 + 0.9 * np.exp(-309 / 1440)))


def test_chi_square_compares_host_time():
    found = chi_square(seen([1600] * 10, exposed=[(1, 1500, 500)], pairs=[(event, 1, 5.0) for event in range(9)]))
    # Half of the host-time since the release, 9 of 10 events: (|9 - 5| - 1/2)² / 2.5, and of that the two-sided chance.
    assert found.update[1600] == 1
    assert found.score[1600] == pytest.approx(-log10(0.02686), abs=1e-3)
    even = chi_square(seen([1600] * 10, exposed=[(1, 1500, 500)], pairs=[(event, 1, 5.0) for event in range(5)]))
    assert even.highest == 0


def test_a_fleet_without_events_and_updates_says_nothing():
    nothing = seen()
    for judge in BASELINES.values():
        assert judge(nothing).highest == 0


@pytest.fixture(scope="module")
def outage(tmp_path_factory) -> Lake:
    root = tmp_path_factory.mktemp("scoreboard")
    simulate("channel-file-291", root / "fleet", hosts=250, seed=3, days=2)
    lake = Lake.create(root / "lake")
    load(lake, [root / "fleet"], now=datetime.now(UTC))
    return lake


@pytest.mark.slow
def test_a_minute_is_judged_by_what_was_known_in_it(outage):
    with Engine(outage) as engine:
        whole = read(engine)
        middle = int(np.median(whole.arrived))
        engine.as_of = tick_time(whole.first_tick + middle)
        by_then = read(engine)
    assert by_then.ticks == middle + 1 < whole.ticks
    assert whole.arrivals()[: middle + 1].tolist() == by_then.arrivals().tolist()
    for name, judge in BASELINES.items():
        early, late = judge(by_then), judge(whole)
        assert early.highest > 0, name
        assert early.score == pytest.approx(late.score[: middle + 1]), name


def fault(*, alarm: datetime | None = None) -> Fault:
    """An update "bad" that reached a host a minute for ten minutes; each crashed a minute later."""
    times = tuple(RELEASED + timedelta(minutes=minute + 1) for minute in range(10))
    reached = tuple(RELEASED + timedelta(minutes=minute) for minute in range(10))
    return Fault(frozenset({"bad"}), RELEASED, Known(times[0], alarm, alarm, times), reached)


def at(minute: float) -> datetime:
    return RELEASED + timedelta(minutes=minute)


@pytest.mark.parametrize(
    ("said", "verdict"),
    [
        (Said((at(4),), ((at(5), "bad"),)), Verdict.CORRECT),
        (Said((at(4),), ((at(5), "bad"), (at(9), "good"))), Verdict.WRONG),
        (Said((at(-60), at(4)), ((at(-60), "good"), (at(5), "bad"))), Verdict.WRONG),
        (Said((at(4),), ()), Verdict.ABSTAINED),
        (Said((at(-60),), ()), Verdict.MISSED),
    ],
)
def test_a_verdict_on_a_guilty_fleet(said, verdict):
    row = held_against(fault(), OURS, said, scenario="s", seed=1)
    assert row.verdict is verdict
    if verdict is Verdict.CORRECT:
        assert (row.alarm_min, row.name_min, row.exposed, row.crashed) == (4.0, 5.0, 5, 4)
        assert row.first_right


def test_where_nobody_is_guilty_an_alarm_without_a_name_is_right():
    assert held_against(None, OURS, Said((at(0),), ()), scenario="s", seed=1).verdict is Verdict.CORRECT
    assert held_against(None, OURS, Said((at(0),), ((at(0), "good"),)), scenario="s", seed=1).verdict is Verdict.WRONG


def test_a_name_of_the_detector_counts_even_if_it_was_taken_back():
    turns = [("undetermined", None), ("update", "good"), ("no_update", None)]
    history = [
        {"at": f"2026-03-04T12:0{minute}:00Z", "verdict": verdict, "update_id": update, "condition": None}
        for minute, (verdict, update) in enumerate(turns)
    ]
    said = ours([{"alarm_at": "2026-03-04T12:00:00Z", "history": history}])
    assert said == Said((at(0),), ((at(1), "good"),))


def test_a_threshold_lets_as_many_quiet_fleets_alarm_as_the_detector_blames():
    none = [{OURS: 0.0, **dict.fromkeys(BASELINES, float(score))} for score in (1, 3, 2)]
    one = [{**each, OURS: 1.0 if number == 0 else 0.0} for number, each in enumerate(none)]
    for highest, alarms in ((none, 0), (one, 1)):
        tuned, false_alarms = thresholds(highest)
        assert false_alarms == alarms
        for name in BASELINES:
            assert sum(each[name] >= tuned[name] for each in highest) == alarms


def row(method: str, verdict: Verdict, *, seed: int = 1, guilty: bool = True) -> Row:
    named = ("x",) if verdict is Verdict.WRONG else ()
    return Row("s", seed, method, guilty, verdict, named, False, None, None, None, None)


def test_a_worse_detector_fails(capsys):
    rows = [row(OURS, Verdict.CORRECT), row(OURS, Verdict.WRONG, seed=2), row("Chi-square", Verdict.WRONG)]
    assert held_to({"correct": 1, "wrong": 1}, rows) == 0
    assert held_to({"correct": 2, "wrong": 1}, rows) == 1
    assert "s 2: wrong" in capsys.readouterr().err
    assert held_to({"correct": 1, "wrong": 0}, rows) == 1


def test_the_page_says_in_words_who_is_not_beaten():
    verdicts = {OURS: (Verdict.CORRECT, Verdict.MISSED), "Chi-square": (Verdict.CORRECT, Verdict.CORRECT)}
    rows = [
        row(method, verdict, seed=seed)
        for method in METHODS
        for seed, verdict in enumerate(verdicts.get(method, (Verdict.WRONG, Verdict.WRONG)))
    ]
    lines = dict(zip(BASELINES, unbeaten(rows), strict=True))
    assert "**not beaten on correct**: 2 fleets against our 1" in lines["Chi-square"]
    assert "**not beaten on wrong**: 0 fleets against our 0" in lines["Chi-square"]
    assert "beaten on both: correct on 0 fleets against our 1, and wrong on 2 against 0" in lines["EWMA chart"]


def test_the_page_says_who_is_sooner():
    at_minute = {OURS: (20.0, 30.0, 9.0), "Chi-square": (10.0, 30.0, None)}
    rows = [
        replace(row(method, Verdict.CORRECT, seed=seed), name_min=minute)
        for method, minutes in at_minute.items()
        for seed, minute in enumerate(minutes)
    ]
    line = dict(zip(BASELINES, unbeaten(rows), strict=True))["Chi-square"]
    assert "(2 fleets), it does after 30 minutes and we after 30 (medians); it is sooner on 1 of them." in line


def test_no_line_of_the_page_becomes_a_list_by_a_formula():
    rows = [row(method, Verdict.CORRECT, guilty=guilty) for method in METHODS for guilty in (True, False)]
    settings = Settings("make scoreboard", "abc", "", 1, 1, 100, 2, 3, 0, dict.fromkeys(BASELINES, 1.0))
    methods = page(rows, settings).partition("## The methods")[2]
    assert not [line for line in methods.splitlines() if line.startswith(("- ", "+ ", "= "))]


def test_the_page_has_every_method_its_formula_and_that_all_is_synthetic():
    rows = [row(method, Verdict.CORRECT, guilty=guilty) for method in METHODS for guilty in (True, False)]
    settings = Settings("make scoreboard", "abc", "Small.", 1, 1, 100, 2, 3, 0, dict.fromkeys(BASELINES, 1.0))
    text = " ".join(page([*rows, row(ORACLE, Verdict.CORRECT)], settings).split())
    for said in ("All of it is synthetic", "make scoreboard", "χ² =", "ST(e, c) =", "z(t) =", "(A + r H) / (M + H)"):
        assert said in text
    for method in METHODS:
        assert f"**{method}**, 0" in text
