"""From records to evidence: who counts, in which ring, for how long, and what they are held against."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fleetcrash.gate.baseline import Baseline
from fleetcrash.gate.evidence import log_evidence, upper_bound
from fleetcrash.gate.reading import Ring, Span, read_rings, read_update
from fleetcrash.store import Engine, Lake
from tests.fleetcrash.gate.rollouts import RELEASED, START, crash, host, install, lake_with
from tests.fleetcrash.worlds import UPDATES, at, known_by, lake_of, worlds

AN_HOUR_LATER = RELEASED + timedelta(hours=1)


def read(lake: Lake, *, as_of=AN_HOUR_LATER, disturbed: Sequence[Span] = ()) -> tuple[dict[str | None, Ring], Baseline]:
    with Engine(lake, as_of=as_of) as engine:
        rings, baseline = read_rings(engine, "u1", disturbed=disturbed)
    return {one.name: one for one in rings}, baseline


def minutes(count: float) -> timedelta:
    return timedelta(minutes=count)


@pytest.fixture(scope="module")
def lake(tmp_path_factory) -> Lake:
    """Forty hosts in two rings and without one; the canaries and a stray have the update, some were hit."""
    hosts = [host(number, "canary", site=f"s{number % 5}") for number in range(10)]
    hosts += [host(number, "broad", always_on=True) for number in range(10, 39)] + [host(39, None)]
    sessions = [{"host_id": f"h{number}", "online_from": START} for number in range(40) if number not in (9, 11)]
    sessions += [
        {"host_id": "h11", "online_from": START, "online_until": RELEASED + minutes(20)},
        {"host_id": "h9", "online_from": RELEASED + minutes(30)},
    ]
    installs = [install(number, RELEASED + minutes(1)) for number in (*range(10), 39)]
    installs += [install(11, RELEASED + minutes(15)), install(11, RELEASED + minutes(19), "u2")]
    crashes = [
        crash(0, RELEASED - minutes(30)),
        crash(1, RELEASED + minutes(2)),
        crash(1, RELEASED + minutes(9)),
        crash(2, RELEASED + minutes(40)),
        crash(20, RELEASED + minutes(5)),
        crash(3, RELEASED + minutes(50), received_at=RELEASED + minutes(90)),
    ]
    updates = [
        {"update_id": name, "kind": "content", "channel": name, "released_at": RELEASED} for name in ("u1", "u2")
    ]
    path: Path = tmp_path_factory.mktemp("gate") / "lake"
    return lake_with(path, host=hosts, session=sessions, install=installs, crash=crashes, update=updates)


def test_each_ring_that_has_it_is_told_apart(lake):
    rings, _ = read(lake)
    assert list(rings) == ["canary", None, "broad"], "in the order in which they got it"
    assert {name: one.exposed for name, one in rings.items()} == {"canary": 10, None: 1, "broad": 1}


def test_the_first_hit_of_a_host_counts_and_what_is_not_known_yet_does_not(lake):
    rings, _ = read(lake)
    assert (rings["canary"].crashed, rings["canary"].dark) == (2, 0)
    assert rings["canary"].evidence.hits.age.tolist() == [0, 2]
    later, _ = read(lake, as_of=RELEASED + timedelta(hours=2))
    assert later["canary"].crashed == 3


def test_a_server_that_falls_silent_with_it_is_dark(lake):
    rings, _ = read(lake)
    assert (rings["broad"].crashed, rings["broad"].dark) == (0, 1)
    early, _ = read(lake, as_of=RELEASED + minutes(25))
    assert early["broad"].hit == 0, "that a session ended is known ten minutes later"


def test_host_hours_are_those_online_with_it_up_to_the_hit(lake):
    rings, _ = read(lake)
    # Seven hosts for 59 minutes, one for 1, one for 39, one that came online at minute 30.
    assert rings["canary"].host_hours == pytest.approx((7 * 59 + 1 + 39 + 30) / 60, abs=0.1)


def test_the_newest_minutes_are_not_taken_for_survived(lake):
    ring = read(lake)[0]["canary"]
    assert len(ring.evidence.time) - len(ring.evidence.weighted) == 10


def test_a_host_whose_clock_says_1970_adds_a_day_to_the_evidence_and_not_half_a_century(tmp_path):
    def of_three(path: Path, *more: dict[str, Any]) -> Ring:
        lake = lake_with(
            path, host=[host(number, None) for number in range(4)], crash=[crash(1, RELEASED + minutes(7))],
            install=[*(install(number, RELEASED) for number in range(3)), *more],
        )  # fmt: skip
        return read(lake)[0][None]

    strange = install(3, datetime.fromtimestamp(5, tz=UTC), received_at=RELEASED)
    without, with_it = of_three(tmp_path / "without"), of_three(tmp_path / "with", strange)
    assert with_it.exposed == 4
    assert len(with_it.evidence.time) <= 60 + 1440
    assert with_it.hits_at == without.hits_at == (RELEASED + minutes(7),)
    for said in (lambda told: upper_bound(told, alpha=0.05), lambda told: log_evidence(told, caution=1.0)):
        assert said(with_it.evidence) == pytest.approx(said(without.evidence), rel=0.01)


def test_the_baseline_is_of_hosts_without_the_update(lake):
    _, baseline = read(lake)
    overall = baseline.overall
    disturbed = [(RELEASED - timedelta(hours=2), RELEASED + minutes(30))]
    _, calmer = read(lake, disturbed=disturbed)
    assert calmer.overall < overall, "the crashes of 11:30 and 12:05 are in a disturbed stretch"
    assert baseline.rates_of(None, ("windows", True, 2, 0))[1] > 0
    assert baseline.rates_of(None, ("windows", False, 2, 0))[1] == 0, "only a server's silence is news"


def test_a_fleet_without_rings_is_one_ring_and_more_than_a_day_is_not_followed(tmp_path):
    hosts = [host(number, None) for number in range(3)]
    lake = lake_with(tmp_path / "lake", host=hosts, install=[install(number, RELEASED) for number in range(3)],
                     crash=[crash(0, RELEASED + timedelta(hours=30)), crash(5, START)])  # fmt: skip
    rings, _ = read(lake, as_of=RELEASED + timedelta(hours=40))
    assert list(rings) == [None]
    assert rings[None].host_hours == pytest.approx(72, abs=0.2)
    assert rings[None].hit == 0


def test_hosts_that_the_inventory_lacks_have_a_baseline_of_their_own_crashes(tmp_path):
    def expected_with(path: Path, inventory: list[dict[str, Any]]) -> float:
        lake = lake_with(
            path,
            host=inventory,
            session=[{"host_id": f"h{number}", "online_from": START} for number in range(200)],
            install=[install(number, RELEASED) for number in range(100)],
            crash=[crash(number, START + minutes(40 + number)) for number in range(30)],
        )
        return read(lake)[0][None].expected

    told = expected_with(tmp_path / "told", [host(number, None) for number in range(200)])
    assert expected_with(tmp_path / "untold", []) == pytest.approx(told, rel=0.01)


@pytest.mark.parametrize("name", ["all", "unknown"])
def test_a_ring_may_be_called_what_is_said_of_hosts_without_one(tmp_path, name):
    def rings_of(called: str) -> list[Ring]:
        hosts = [host(number, called if number < 20 else None) for number in range(40)]
        lake = lake_with(tmp_path / called, host=hosts, install=[install(number, RELEASED) for number in range(25)],
                         crash=[crash(number, START + minutes(5 + number)) for number in range(12)])  # fmt: skip
        with Engine(lake, as_of=AN_HOUR_LATER) as engine:
            return read_rings(engine, "u1", disturbed=[])[0]

    expected, other = rings_of("canary")
    named, without = rings_of(name)
    assert (named.name, without.name) == (name, None)
    assert [named.exposed, without.exposed] == [20, 5]
    assert [named.expected, without.expected] == pytest.approx([expected.expected, other.expected])


def test_one_large_customer_counts_for_a_third_and_its_site_bears_witness_twice(tmp_path):
    hosts = [host(number, "canary", customer="big", site="hq") for number in range(90)]
    hosts += [host(number, "canary", customer=f"small-{number}") for number in range(90, 100)]
    hosts += [host(number, "broad", customer=f"small-{number}") for number in range(100, 400)]
    lake = lake_with(tmp_path / "lake", host=hosts, install=[install(number, RELEASED) for number in range(100)],
                     crash=[crash(number, RELEASED + minutes(1 + number / 10)) for number in range(5)])  # fmt: skip
    ring = read(lake)[0]["canary"]
    assert ring.exposed == 100
    assert ring.evidence.heads == pytest.approx(100 / 3 + 10)
    assert ring.evidence.hits.weight.tolist() == pytest.approx([1 / 2.7] * 5)
    assert ring.evidence.hits.witness.tolist() == [True, True, False, False, False]


def of_one_site(path: Path, crashes: Sequence[tuple[int, float]], **more: Any) -> list[bool]:
    """Which of the crashes, each of a host and at a minute after the release, bear witness if all are at one site."""
    hosts = [host(number, "canary", **{"site": "hq", **more}) for number in range(300)]
    installs = [install(number, RELEASED) for number in range(300)]
    told = [crash(number, RELEASED + minutes(after)) for number, after in crashes]
    ring = read(lake_with(path, host=hosts, install=installs, crash=told))[0]["canary"]
    return ring.evidence.hits.witness.tolist()


def test_of_hits_of_one_site_in_the_same_second_two_bear_witness(tmp_path):
    assert of_one_site(tmp_path / "lake", [(number, 5) for number in range(4)]) == [True, True, False, False]


@pytest.mark.parametrize("began", [5, 9.5, 19.9])
def test_a_site_that_loses_power_is_two_witnesses_in_ten_minutes_whenever_they_begin(tmp_path, began):
    witnesses = of_one_site(tmp_path / "lake", [(number, began + number * 9.9 / 300) for number in range(300)])
    assert (sum(witnesses), len(witnesses)) == (2, 300)


def test_a_site_that_is_hit_steadily_goes_on_to_bear_witness(tmp_path):
    """Two in every ten minutes: hits that are no witnesses keep none from being one."""
    witnesses = of_one_site(tmp_path / "lake", [(number, 2 + number) for number in range(40)])
    assert [number for number, is_one in enumerate(witnesses) if is_one] == [0, 1, 11, 12, 22, 23, 33, 34]


def test_hosts_without_a_site_group_or_customer_all_bear_witness(tmp_path):
    assert all(of_one_site(tmp_path / "lake", [(number, 5) for number in range(4)], site=None))


def test_a_customer_that_is_most_of_the_fleet_may_be_most_of_a_ring(tmp_path):
    hosts = [host(number, "canary" if number < 10 else "broad", customer="only") for number in range(30)]
    lake = lake_with(tmp_path / "lake", host=hosts, install=[install(number, RELEASED) for number in range(10)])
    with Engine(lake, as_of=AN_HOUR_LATER) as engine:
        rings, _ = read_rings(engine, "u1", disturbed=[])
    assert rings[0].evidence.heads == 10


def test_hosts_beside_the_ring_that_are_hit_alike_explain_its_hits(tmp_path):
    hosts = [host(number, "canary" if number < 20 else "broad", region="eu") for number in range(60)]
    installs = [install(number, RELEASED) for number in range(20)]
    alone = [crash(number, RELEASED + minutes(5)) for number in range(3)]
    beside = [crash(number, RELEASED + minutes(5)) for number in range(20, 50)]
    quiet = read(lake_with(tmp_path / "quiet", host=hosts, install=installs, crash=alone))[0]["canary"]
    wave = read(lake_with(tmp_path / "wave", host=hosts, install=installs, crash=[*alone, *beside]))[0]["canary"]
    assert quiet.evidence.hits.beside.tolist() == [1.0, 1.0, 1.0]
    assert min(wave.evidence.hits.beside) > 10


def test_hosts_with_another_update_that_is_named_are_not_beside_it_until_its_incident_is_over(tmp_path):
    hosts = [host(number, "canary" if number < 20 else "broad", region="eu") for number in range(60)]
    installs = [install(number, RELEASED) for number in range(20)]
    installs += [install(number, RELEASED - minutes(5), "u2") for number in range(20, 55)]
    crashes = [crash(number, RELEASED + minutes(5)) for number in (*range(3), *range(20, 50))]
    lake = lake_with(tmp_path / "lake", host=hosts, install=installs, crash=crashes)

    def beside(until: datetime) -> tuple[float, int]:
        with Engine(lake, as_of=AN_HOUR_LATER) as engine:
            [canary], _ = read_rings(engine, "u1", disturbed=[], named=[("u2", until)])
            hit = engine.rows("gate/hits_in_order")[0]
        return float(min(canary.evidence.hits.beside)), hit["beside_os_minutes"]

    assert beside(AN_HOUR_LATER) == (1.0, 15 * 5 * 3), "five hosts lack both"
    assert beside(RELEASED - minutes(20))[0] > 10, "what was over before cannot be told from any other rise"


def test_hosts_are_beside_it_until_an_hour_before_they_get_it_themselves(tmp_path):
    hosts = [host(number, "canary" if number < 20 else "broad", region="eu") for number in range(60)]
    crashes = [crash(number, RELEASED + minutes(5)) for number in (*range(3), *range(20, 50))]

    def beside(got_after: int) -> float:
        installs = [install(number, RELEASED + minutes(0 if number < 20 else got_after)) for number in range(60)]
        lake = lake_with(tmp_path / str(got_after), host=hosts, install=installs, crash=crashes)
        canary = read(lake, as_of=RELEASED + timedelta(hours=4))[0]["canary"]
        assert (canary.hit, canary.evidence.excess < 1) == (3, got_after == 120), "none more than beside it"
        return float(min(canary.evidence.hits.beside))

    assert beside(120) > 10
    assert beside(50) == 1.0, "what takes effect at a boot is told of after it"


def test_hosts_beside_it_count_for_each_quarter_of_an_hour_in_which_they_lack_it(tmp_path):
    """In that before the hit and in that of it eighty, and forty in the next, in which none is hit."""
    hosts = [host(number, "canary" if number < 20 else "broad" if number < 60 else "late") for number in range(100)]
    installs = [install(number, RELEASED + minutes(0 if number < 20 else 75)) for number in range(60)]
    crashes = [crash(0, RELEASED + minutes(5)), crash(90, RELEASED - minutes(5)), crash(91, RELEASED + minutes(6))]
    lake = lake_with(tmp_path / "lake", host=hosts, install=installs, crash=crashes)
    with Engine(lake, as_of=RELEASED + timedelta(hours=4)) as engine:
        read_rings(engine, "u1", disturbed=[])
        [hit] = engine.rows("gate/hits_in_order")
    for name in ("os", "region"):
        assert (hit[f"beside_{name}_hits"], hit[f"beside_{name}_minutes"]) == (2, 15 * (80 + 80 + 40))
    assert (hit["beside_place_hits"], hit["beside_place_minutes"]) == (0, 0), "it is at no place"


def test_where_most_of_a_place_is_struck_the_rate_is_that_of_the_place(tmp_path):
    hosts = [host(number, "canary" if number < 20 else "broad", region="eu") for number in range(220)]
    crashes = [crash(number, RELEASED + minutes(5)) for number in (*range(4), *range(20, 180))]
    lake = lake_with(tmp_path / "lake", host=hosts, crash=crashes, install=[install(n, RELEASED) for n in range(20)])
    rings, baseline = read(lake)
    rate = min(rings["canary"].evidence.hits.beside) * baseline.overall
    assert rate == pytest.approx(160 / (200 * 45), rel=0.2)


def test_a_server_that_was_dark_and_is_back_is_not_silent(tmp_path):
    gone, back = RELEASED + minutes(5), RELEASED + minutes(40)
    sessions = [{"host_id": f"h{number}", "online_from": START, "online_until": gone} for number in range(3)]
    sessions.append({"host_id": "h0", "online_from": back})
    lake = lake_with(
        tmp_path / "lake",
        host=[host(number, "canary", always_on=number < 2) for number in range(3)],
        session=sessions,
        install=[install(number, RELEASED) for number in range(3)],
    )
    told = [read(lake, as_of=RELEASED + minutes(as_of))[0]["canary"] for as_of in (30, 50)]
    assert [(ring.dark, ring.silent, ring.still_dark) for ring in told] == [(2, 2, 2), (2, 1, 1)]


def test_heartbeats_of_the_ring_tell_how_fresh_it_is(tmp_path):
    hosts = [host(number, "canary") for number in range(4)]
    beats = [
        {"host_id": f"h{number}", "at": RELEASED + minutes(5 * step)} for number in range(4) for step in range(-12, 9)
    ]
    installs = [install(number, RELEASED) for number in range(4)]
    lake = lake_with(tmp_path / "lake", host=hosts, heartbeat=beats, install=installs)
    assert read(lake)[0]["canary"].beat_us == int((RELEASED + minutes(40)).timestamp() * 1e6)


def test_when_the_last_host_of_a_ring_went_offline_is_told_ten_minutes_later(tmp_path):
    until = [RELEASED + minutes(20), RELEASED + minutes(40)]
    sessions = [{"host_id": f"h{number}", "online_from": START, "online_until": at} for number, at in enumerate(until)]
    installs = [install(number, RELEASED) for number in range(2)]
    lake = lake_with(
        tmp_path / "lake", host=[host(number, "canary") for number in range(2)], session=sessions, install=installs
    )
    for as_of, left_at in ((50, 40), (49, None)):
        told = None if left_at is None else int((RELEASED + minutes(left_at)).timestamp() * 1e6)
        assert read(lake, as_of=RELEASED + minutes(as_of))[0]["canary"].left_us == told


def test_hosts_that_have_it_still_are_told_from_those_that_had_it(tmp_path):
    installs = [install(number, RELEASED) for number in range(3)]
    installs.append(install(0, RELEASED + minutes(30), action="removed"))
    lake = lake_with(tmp_path / "lake", host=[host(number, "canary") for number in range(3)], install=installs)
    told = [read(lake, as_of=RELEASED + minutes(as_of))[0]["canary"] for as_of in (29, 30)]
    assert [(ring.exposed, ring.holders) for ring in told] == [(3, 3), (3, 2)]


def test_an_update_that_nobody_names_is_not_known(lake):
    with Engine(lake, as_of=AN_HOUR_LATER) as engine:
        assert read_update(engine, "u3") is None
        update = read_update(engine, "u1")
    assert update is not None
    assert (update.kind, update.exposure_source, update.presence_source) == ("content", "installs", "sessions")
    with Engine(lake, as_of=RELEASED - minutes(1)) as engine:
        assert read_update(engine, "u1") is None, "released later"


def said(engine: Engine, update_id: str) -> str:
    """All that is read of an update, without the order of what happened at once."""
    rings, baseline = read_rings(engine, update_id, disturbed=[])
    hits = [sorted(zip(*(getattr(one.evidence.hits, name).tolist() for name in ("minute", "age", "rate", "beside")),
                       strict=True)) for one in rings]  # fmt: skip
    told = [
        (one.name, one.exposed, one.holders, one.host_hours, one.hit, one.expected, one.beat_us, one.left_us,
         one.soaked_from_us) for one in rings
    ]  # fmt: skip
    return repr((told, hits, baseline, read_update(engine, update_id)))


@pytest.mark.slow
@given(world=worlds(), minute=st.integers(0, 240), update=st.sampled_from(UPDATES), seed=st.integers(0, 99))
@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_as_of_an_instant_only_what_was_known_by_then_counts_in_whatever_order(empty_lake, world, minute, update, seed):
    with lake_of(world, empty_lake) as lake, Engine(lake, as_of=at(minute)) as engine:
        whole = said(engine, update)
    with (
        lake_of(known_by(world, at(minute)), empty_lake, shuffled=Random(seed), loads=2) as lake,
        Engine(lake, as_of=at(minute)) as engine,
    ):
        assert said(engine, update) == whole


def test_what_befalls_a_host_with_another_named_update_as_well_is_counted_and_tells_nothing(tmp_path):
    installs = [install(number, RELEASED) for number in range(10)]
    installs += [install(number, RELEASED + minutes(20), "u2") for number in (0, 1)]
    installs += [install(2, RELEASED - minutes(60), "u2"), install(3, RELEASED + minutes(80), "u2")]
    crashes = [crash(0, RELEASED + minutes(10)), crash(4, RELEASED + minutes(30))]
    crashes += [crash(number, RELEASED + minutes(21)) for number in (1, 2)]
    updates = [
        {"update_id": name, "kind": "content", "channel": name, "released_at": RELEASED} for name in ("u1", "u2")
    ]
    lake = lake_with(
        tmp_path / "lake", host=[host(number, "canary") for number in range(10)], install=installs, crash=crashes,
        update=updates,
    )  # fmt: skip

    def canary(until: datetime) -> Ring:
        with Engine(lake, as_of=RELEASED + minutes(90)) as engine:
            return read_rings(engine, "u1", disturbed=[], named=[("u2", until)])[0][0]

    told, alone = canary(RELEASED + minutes(90)), canary(RELEASED - minutes(1))
    assert (told.exposed, told.crashed, told.shared, told.holders, told.both) == (10, 4, 2, 10, 4)
    assert (told.host_hours, told.expected) == pytest.approx((alone.host_hours, alone.expected))
    assert [(len(one.evidence.hits), one.evidence.exposed) for one in (told, alone)] == [(2, 7), (4, 10)]
    assert (told.evidence.heads, told.weight) == (7.0, 10.0)
    # Host 1 from 20 to 21, host 2 from 0 to 21, host 3 from 80 on.
    assert alone.evidence.time.sum() - told.evidence.time.sum() == 1 + 21 + 10
    assert alone.shared == 0, "an incident that was over before the host got this update"
