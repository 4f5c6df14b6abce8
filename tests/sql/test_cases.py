"""Every query that counts, on the folders beside this file, as in the folder of queries: ``<query>/<case>/``.

A case holds ``<table>.ndjson`` with rows of the lake's tables, ``params.json`` with the query's parameters
(and ``as_of``, where it is not the newest known time) and ``expect.csv`` with the answer, in order. It is run
on a real lake.

The kept tables, which the other queries read, have no order of their own; theirs are compared sorted.
"""

from __future__ import annotations

import csv
import io
import json
from dataclasses import asdict, fields, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import pyarrow as pa
import pytest

from dashboard.selection import (
    LOOKS_BACK,
    SHORTER_WAYS,
    TABLES_OF_A_CURVE,
    TABLES_OF_A_SELECTION,
    TABLES_OF_THE_LAKE,
    Filters,
    Selection,
)
from fleetcrash.attribution.facts.reading import keep_known
from fleetcrash.clustering import Clusters
from fleetcrash.store import Engine, Lake
from tests.dashboard.fleet import append_rows

HERE = Path(__file__).parent
CASES = sorted(path.parent for path in HERE.rglob("params.json"))
_OF_A_SELECTION = {**TABLES_OF_A_SELECTION, **TABLES_OF_A_CURVE}
_KEPT = (
    *TABLES_OF_THE_LAKE,
    *_OF_A_SELECTION,
    *SHORTER_WAYS,
    "judged_crashes",
    "judged_crashes_placed",
    "clustering/shapes_seen",
    "earlier_edges",
    "earlier_edges_of_kinds",
)
_HOSTS = "abcdefgh"  # those of the cases
_NUMBERS = ("host", "kind", "place", "shape", "update_number")
CASES_OF_EXPOSURE = [
    case
    for case in CASES
    if (case / "install.ndjson").exists()
    and {"since", "until", "as_of"} <= json.loads((case / "params.json").read_text()).keys()
]
FILTERS = tuple(each.name for each in fields(Filters))
COUNTING = (
    "batches_newest",
    "blast_radius_by_os_agent_version",
    "books_now",
    "clustering/counts_by_cluster",
    "clustering/counts_by_variant_os",
    "clustering/counts_by_variant_os_selected",
    "clustering/sample_of_cluster",
    "clustering/seen_by_cluster",
    "clustering/shapes_seen",
    "clustering/updates_before_cluster",
    "crash_rate_by_agent_version",
    "crash_rate_by_minute_agent_version",
    "crash_rate_by_minute_os",
    "crash_rate_by_minute_update",
    "crash_rate_by_update",
    "crash_rate_lately",
    "crashed_hosts",
    "crashes_by_cluster_bucket",
    "crashes_by_update",
    "crashes_by_update_of_all",
    "crashes_told_late",
    "crashes_lateness",
    "crashes_listed",
    "delay_by_record",
    "earlier_edges",
    "earlier_edges_of_kinds",
    "earlier_rate_by_hour",
    "exposed_crashes",
    "exposed_time",
    "exposed_updates",
    "filter_values",
    "exposures_in_window",
    "fleet_edges",
    "fleet_now",
    "fleet_sums",
    "gaps_in_feed",
    "health_now",
    "hits_around_install",
    "host_kinds",
    "host_now",
    "host_online",
    "host_updates",
    "hosts_affected",
    "hosts_crashed_by_minute",
    "hosts_exposed_by_minute",
    "hosts_hit_now",
    "incident_now",
    "installs_by_update",
    "judged_crashes",
    "judged_crashes_placed",
    "known_exposures",
    "most_crashes_by_host",
    "online_stretches",
    "placed_crashes",
    "selected_crashes",
    "selected_crashes_of_update",
    "selected_edges",
    "selected_edges_of_kinds",
    "selected_edges_of_update",
    "selected_exposures",
    "selected_kinds",
    "selected_lately",
    "selected_lately_of_kinds",
    "selected_lately_of_update",
    "selected_sums",
    "selected_sums_of_kinds",
    "selected_time",
    "selected_time_of_update",
    "servers_dark_by_minute",
    "shares_by_attribute",
    "time_by_update",
    "time_by_update_of_all",
    "updates_known",
    "updates_released",
    "worded_crashes",
)


@pytest.mark.parametrize("case", CASES, ids=lambda path: f"{path.parent.name}-{path.name}")
def test_a_case_answers_as_expected(case: Path, lake: Lake):
    _fill(lake, case)
    parameters = json.loads((case / "params.json").read_text())
    as_of = parameters.pop("as_of", None)
    with Engine(lake, as_of=None if as_of is None else datetime.fromisoformat(as_of)) as engine:
        answer = _answer(engine, _query(case), _timed(parameters))
    assert _as_csv(answer) == (case / "expect.csv").read_text()


@pytest.mark.variants
@pytest.mark.parametrize("case", CASES_OF_EXPOSURE, ids=lambda path: f"{path.parent.name}-{path.name}")
def test_a_shorter_way_says_the_same(case: Path, lake: Lake):
    _fill(lake, case)
    parameters = _timed(json.loads((case / "params.json").read_text()))
    as_of = datetime.fromisoformat(parameters["as_of"])
    installs = map(json.loads, (case / "install.ndjson").read_text().splitlines())
    asked = [Filters(), Filters(os_types=("linux",)), Filters(agent_versions=("7.11",))]
    for update_id in sorted({each["update_id"] for each in installs}):
        of_it = Filters(updates=(update_id,))
        asked += [of_it, replace(of_it, text="x"), replace(of_it, os_types=("linux",))]
    with Engine(lake, as_of=as_of) as engine:
        for filters in asked:
            selection = Selection(parameters["since"], parameters["until"], filters)
            _keep(engine, {"since": selection.since, "until": selection.until, "bucket_s": 300} | asdict(filters))
            ways = [(table, selection.query(table)) for table in _OF_A_SELECTION if selection.query(table) != table]
            assert ways or selection.until - selection.since > LOOKS_BACK
            for table, shorter in ways:
                said = engine.table(shorter, **selection.parameters(table, bucket_s=300))
                engine._kept.make(table)
                assert _sorted(said) == _sorted(engine._con.table(table).to_arrow_table())


def _sorted(table: pa.Table) -> list[dict[str, Any]]:
    """Its rows, whose sums may have been added up in another order."""
    rows = [{k: round(v, 9) if isinstance(v, float) else v for k, v in row.items()} for row in table.to_pylist()]
    return sorted(rows, key=str)


@pytest.mark.parametrize("query", COUNTING)
def test_every_counting_query_has_a_case(query: str):
    assert any(_query(case) == query for case in CASES)


def _query(case: Path) -> str:
    return case.parent.relative_to(HERE).as_posix()


def _fill(lake: Lake, case: Path) -> None:
    for path in case.glob("*.ndjson"):
        append_rows(lake, path.stem, [json.loads(line) for line in path.read_text().splitlines() if line.strip()])


def _answer(engine: Engine, query: str, parameters: dict[str, Any]) -> list[dict[str, Any]]:
    selection = {name: parameters.get(name) for name in ("since", "until", *FILTERS, "bucket_s")}
    _keep(engine, selection)
    given = {**selection, **parameters}
    rows = engine.rows(query, **{name: value for name, value in given.items() if _reads(query, name)})
    if query not in _KEPT:
        return rows
    return sorted((_named(engine, row) for row in rows), key=str)


def _keep(engine: Engine, selection: dict[str, Any]) -> None:
    Clusters(engine).keep()
    for name in TABLES_OF_THE_LAKE:
        engine.keep(name, name)
    keep_known(engine)
    if selection["since"] is not None:
        for name, read in _OF_A_SELECTION.items():
            engine.keep(name, name, **{key: selection[key] for key in read})
        for name, kept in (("earlier_time", "selected_time"), ("earlier_crashes", "selected_crashes")):
            engine.keep(name, kept, **{key: selection[key] for key in TABLES_OF_A_SELECTION[kept]})
        window = {"since": selection["since"], "until": selection["until"], "bucket_s": 3600}
        engine.keep("fleet_hours", "fleet_edges", **window)
        engine.keep("earlier_edges", "earlier_edges", **window)


def _named(engine: Engine, row: dict[str, Any]) -> dict[str, Any]:
    """A row of a kept table with names in place of its numbers."""
    if "kind" in row and "os_type" not in row:
        engine._kept.make("host_kinds")
        described = f"SELECT os_type, os_build, agent_version FROM host_kinds WHERE kind = {row['kind']}"
        (kind,) = engine._con.sql(described).fetchall()
        told = dict(zip(("os_type", "os_build", "agent_version"), kind, strict=True))
        before = list(row)[: list(row).index("kind")]
        row = {name: row[name] for name in before} | told | {k: v for k, v in row.items() if k not in before}
    named = {}
    if "place" in row:
        (crash,) = engine._con.sql(f"SELECT crash_id FROM placed_crashes WHERE rowid = {row['place']}").fetchall()
        named["crash_id"] = crash[0]
    if row.get("host") is not None and "host_id" not in row:
        (host,) = {host for host in _HOSTS if engine._con.sql(f"SELECT hash('{host}')").fetchall()[0][0] == row["host"]}
        named["host_id"] = host
    if "shape" in row:
        engine._kept.make("signed_shapes")
        signed = f"SELECT cluster_id, signature FROM signed_shapes WHERE shape = {row['shape']}"
        row = row | dict(zip(("cluster_id", "signature"), engine._con.sql(signed).fetchall()[0], strict=True))
    if "update_number" in row and "update_id" not in row:
        engine._kept.make("exposed_updates")
        listed = f"SELECT update_id FROM exposed_updates WHERE update_number = {row['update_number']}"
        named["update_id"] = engine._con.sql(listed).fetchall()[0][0]
    return named | {name: value for name, value in row.items() if name not in _NUMBERS}


def _reads(query: str, parameter: str) -> bool:
    text = (Path(__file__).parents[2] / "fleetcrash/store/sql" / f"{query}.sql").read_text()
    code = "\n".join(line.partition("--")[0] for line in text.splitlines())
    return f"${parameter}" in code


def _timed(parameters: dict[str, Any]) -> dict[str, Any]:
    return {
        name: datetime.fromisoformat(value) if name in ("since", "until") else value
        for name, value in parameters.items()
    }


def _as_csv(rows: list[dict[str, Any]]) -> str:
    written = io.StringIO()
    if rows:
        writer = csv.DictWriter(written, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows({name: _shown(value) for name, value in row.items()} for row in rows)
    return written.getvalue()


def _shown(value: Any) -> str:
    if value is None or value != value:
        return ""
    if isinstance(value, datetime):
        # The end of what lasts, infinity, does not fit into a Python datetime and is tested where it is read.
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    return f"{value:.6f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)


def test_host_time_adds_up_whatever_the_stretches(lake: Lake):
    """Edges and a running sum must give what adding up every stretch gives, in every grouping."""
    random = Random(20260304)
    start = datetime(2026, 3, 4, tzinfo=UTC)
    hosts = [f"h{number}" for number in range(40)]
    append_rows(
        lake,
        "host",
        [
            {
                "host_id": h,
                "os_type": random.choice(["windows", "linux"]),
                "agent_version": random.choice("123"),
            }
            for h in hosts
        ],
    )
    stretches: list[dict[str, Any]] = []
    for host in hosts:
        at = start
        for _ in range(random.randrange(6)):
            begun = at + timedelta(seconds=random.randrange(20_000))
            at = begun + timedelta(seconds=random.randrange(1, 20_000))
            stretches.append({"host_id": host, "online_from": begun, "online_until": at})
    append_rows(lake, "session", stretches)
    since, until = start + timedelta(seconds=1_234), start + timedelta(seconds=50_000)
    expected = sum(
        max(0.0, (min(each["online_until"], until) - max(each["online_from"], since)).total_seconds())
        for each in stretches
    )
    with Engine(lake, as_of=start + timedelta(days=2)) as engine:
        window = {"since": since, "until": until}
        for query in (
            "crash_rate_by_minute_os",
            "crash_rate_by_minute_agent_version",
            "crash_rate_by_agent_version",
        ):
            parameters = {**window, "bucket_s": 700} if "minute" in query else dict(window)
            rows = _answer(engine, query, parameters)
            assert sum(row["host_hours"] for row in rows) * 3600 == pytest.approx(expected)
