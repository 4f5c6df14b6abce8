"""What the pages count by numbers and sums is what plain SQL counts one by one over the views."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from dashboard.data import Feed
from dashboard.selection import LOOKS_BACK, Filters, Selection
from fleetcrash.clustering import Clusters
from fleetcrash.store import Engine, Lake
from tests.fleetcrash.worlds import LAST_MINUTE, UPDATES, World, at, crash_of, lake_of, worlds

_HOUR = timedelta(hours=1)
_FILTERS = st.builds(
    Filters,
    os_types=st.sampled_from([(), ("windows",), ("windows", "linux")]),
    agent_versions=st.sampled_from([(), ("unknown",), ("7.11",)]),
    updates=st.sampled_from([(), (UPDATES[0],), UPDATES[:3], ("nobody-knows",)]),
)
_EXPOSED = """
SELECT host_id, exposed_from, coalesce(exposed_until, 'infinity') AS exposed_until FROM exposures
WHERE list_contains($updates, update_id)
"""
_CRASHES = """
SELECT crash_id, host_id, placed_at, os_type, agent_version FROM placed_crashes
WHERE placed_at >= $since AND placed_at < $until
  AND (len($os_types) = 0 OR list_contains($os_types, os_type))
  AND (len($agent_versions) = 0 OR list_contains($agent_versions, agent_version))
  AND (len($updates) = 0 OR EXISTS (
    SELECT 1 FROM ({exposed}) AS exposed WHERE exposed.host_id = placed_crashes.host_id
      AND exposed.exposed_from <= placed_crashes.exposed_at AND exposed.exposed_until > placed_crashes.exposed_at
  ))
"""


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Lake.create(tmp_path_factory.mktemp("empty") / "lake").root


def _rows(engine: Engine, query: str, **parameters: Any) -> list[tuple[Any, ...]]:
    engine._kept.make("placed_crashes")
    engine._views.define("exposures")
    asked = {name: value for name, value in parameters.items() if f"${name}" in query}
    return [tuple(row.values()) for row in engine._con.sql(query, params=asked or None).to_arrow_table().to_pylist()]


def _expected(feed: Feed, selection: Selection) -> list[tuple[Any, ...]]:
    return feed.answer("expected", lambda engine: _crashes(engine, selection), selection)


def _crashes(engine: Engine, selection: Selection) -> list[tuple[Any, ...]]:
    filters = selection.filters
    return _rows(
        engine,
        _CRASHES.format(exposed=_EXPOSED),
        since=selection.since,
        until=selection.until,
        os_types=list(filters.os_types),
        agent_versions=list(filters.agent_versions),
        updates=list(filters.updates),
    )


def _by_hour(crashes: list[tuple[Any, ...]], selection: Selection) -> dict[datetime, int]:
    hours: dict[datetime, int] = {}
    for _, _, placed_at, *_ in crashes:
        start = selection.since + (placed_at - selection.since) // _HOUR * _HOUR
        hours[start] = hours.get(start, 0) + 1
    return hours


def _feeds(world: World, empty: Path) -> Iterator[Feed]:
    with lake_of(world, empty, shuffled=Random(7)) as lake:
        feed = Feed(lake.root, watch=False)
        try:
            yield feed
        finally:
            feed.close()


_FEW: dict[str, Any] = {
    "deadline": None,
    "derandomize": True,
    "suppress_health_check": [HealthCheck.function_scoped_fixture],
}
_FEW |= {"phases": [Phase.generate]}  # shrinking takes minutes


@pytest.mark.slow
@settings(max_examples=12, **_FEW)
@given(world=worlds(), asked=st.lists(_FILTERS, min_size=2, max_size=3), from_minute=st.integers(0, 200))
def test_a_selection_and_its_baseline(empty: Path, world: World, asked: list[Filters], from_minute: int):
    for feed in _feeds(world, empty):
        if feed.snapshot().as_of is None:
            return
        for filters in [*asked, asked[0]]:  # back to the first, of which the tables were replaced meanwhile
            selection = Selection(at(from_minute), at(LAST_MINUTE), filters)
            _check(feed, selection)
            feed._answers.clear()


def test_a_baseline_counts_exposure_that_ended_before_the_window(empty: Path):
    world: World = {
        "update": [{"update_id": "a1", "kind": "content", "channel": "a", "released_at": at(0)}],
        "install": [
            {"host_id": "h0", "update_id": "a1", "applied_at": at(30)},
            {"host_id": "h0", "update_id": "a1", "applied_at": at(90), "action": "removed"},
        ],
        "session": [{"host_id": "h0", "online_from": at(0), "online_until": None}],
        "crash": [crash_of(0, minute) for minute in (10, 60, 100, 200)],
    }
    for feed in _feeds(world, empty):
        selection = Selection(at(120), at(LAST_MINUTE), Filters(updates=("a1",)))
        assert feed.frame("hosts_affected", selection).iloc[0]["crashes"] == 0
        baseline = feed.earlier(selection, at(0))
        assert baseline["crashes"].tolist() == [0, 1]
        assert baseline["host_hours"].tolist() == pytest.approx([0.5, 0.5])


def _check(feed: Feed, selection: Selection) -> None:
    hit = feed.frame("hosts_affected", selection).iloc[0]
    by_os = feed.curve("crash_rate_by_minute_os", selection, 600)
    versions = feed.frame("crash_rate_by_agent_version", selection)
    expected = _expected(feed, selection)
    assert hit["crashes"] == len(expected) == by_os["crashes"].sum() == versions["crashes"].sum()
    assert hit["hosts_crashed"] == len({host for _, host, *_ in expected})
    for name, place in (("os_type", 3), ("agent_version", 4)):
        counted = (by_os if name == "os_type" else versions).groupby(name)["crashes"].sum()
        told = {value: sum(row[place] == value for row in expected) for value in {row[place] for row in expected}}
        assert {value: number for value, number in counted.items() if number} == told
    for total in (by_os["host_hours"].sum(), versions["host_hours"].sum()):
        assert total == pytest.approx(hit["host_hours"], abs=1e-5)

    last_hour = feed.frame(
        "hosts_affected", selection.window(max(selection.since, selection.until - _HOUR), selection.until)
    ).iloc[0]
    lately = feed.frame("crash_rate_lately", selection).iloc[0]
    assert lately.to_dict() == pytest.approx(last_hour[["crashes", "host_hours"]].to_dict(), abs=1e-5)

    earlier = selection.window(at(0), selection.until)
    assert earlier.until - earlier.since <= LOOKS_BACK
    baseline = feed.earlier(selection, earlier.since)
    crashes = {start.to_pydatetime(): n for start, n in zip(baseline["bucket_start"], baseline["crashes"], strict=True)}
    assert {start: n for start, n in crashes.items() if n} == _by_hour(_expected(feed, earlier), earlier)
    whole = feed.frame("hosts_affected", earlier).iloc[0]
    assert baseline["host_hours"].sum() == pytest.approx(whole["host_hours"], abs=1e-5)

    feed.frame("crash_rate_by_update", selection.of_all_updates())  # whose rows say the same
    assert feed.hit(selection).to_dict() == pytest.approx(hit.to_dict(), abs=1e-5)


@pytest.mark.slow
@settings(max_examples=10, **_FEW)
@given(world=worlds())
def test_the_clusters(empty: Path, world: World):
    with lake_of(world, empty, shuffled=Random(7)) as lake, Engine(lake) as engine:
        if engine.as_of is None:
            return
        clusters = Clusters(engine)
        clusters.keep()
        engine._kept.make("shaped_crashes")
        engine._kept.make("signed_shapes")
        listed = clusters.list()
        signed = "FROM shaped_crashes JOIN signed_shapes USING (shape)"
        counted = engine._con.sql(
            f"SELECT cluster_id, count(*), count(DISTINCT host_id), epoch_us(min(placed_at)), epoch_us(max(placed_at)) "
            f"{signed} GROUP BY cluster_id ORDER BY 3 DESC, 1"
        ).fetchall()
        assert [
            (each.cluster_id, each.crashes, each.hosts, _us(each.first_seen), _us(each.last_seen)) for each in listed
        ] == counted
        variants = engine._con.sql(
            f"SELECT cluster_id, signature, count(*) {signed} GROUP BY ALL ORDER BY cluster_id, 3 DESC, 2"
        ).fetchall()
        told = [(each.cluster_id, one.signature, one.crashes) for each in listed for one in each.variants]
        assert sorted(told, key=lambda row: (row[0], -row[2], row[1])) == variants
        for each in listed:
            assert clusters.one(each.cluster_id) == each
            first = engine._con.sql(
                f"SELECT crash_id {signed} WHERE cluster_id = $id AND signature = $signature "
                "ORDER BY placed_at, crash_id LIMIT 1",
                params={"id": each.cluster_id, "signature": each.variants[0].signature},
            ).fetchall()
            assert [(clusters.sample(each.cluster_id).crash_id,)] == first


def _us(instant: datetime) -> int:
    return (instant - at(0)) // timedelta(microseconds=1) + int(at(0).timestamp()) * 1_000_000
