"""Clusters of a lake: exact counts, the same whatever the order, and nothing of what came later."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from random import Random

import pytest

from dashboard.selection import TABLES_OF_A_SELECTION, TABLES_OF_THE_LAKE, Filters, Selection
from fleetcrash.clustering import Clusters, Signatures, State, Variant
from fleetcrash.errors import UnknownName
from fleetcrash.store import Engine, Lake
from tests.dashboard.fleet import append_rows

START = datetime(2026, 3, 2, tzinfo=UTC)
FAULT = START + timedelta(days=2)
NOW = FAULT + timedelta(hours=2)
OLD, AGENT, CONTENT = "clu-a9fe5470e2", "clu-460218fb49", "windows | memory | csagent.sys"


def crash(number: int, host: str, at: datetime, **more):
    return {"crash_id": f"c{number}", "host_id": host, "occurred_at": at, "os_type": "windows", "code": "0x50", **more}


def crashes() -> list[dict]:
    """A driver that crashes a host a day, and from ``FAULT`` on a fault of two hosts under three shapes."""
    at = {"module": "csagent.sys", "module_version": "7.11", "module_offset": 7}
    stack = [
        {"module": "nt", "function": "KeBugCheckEx", "offset": 1},
        {"module": "csagent", "function": None, "offset": 7},
    ]
    return [
        crash(0, "h1", START + timedelta(hours=1), module="old.sys", code="0x139"),
        crash(1, "h2", START + timedelta(hours=25), module="OLD.SYS", code="0x1a"),
        crash(2, "h2", FAULT, **at),
        crash(3, "h2", FAULT + timedelta(minutes=1), **{**at, "code": "0x0000007E"}),
        crash(4, "h3", FAULT + timedelta(minutes=2), **at, frames=stack),
        crash(5, "h3", FAULT + timedelta(minutes=3), **{**at, "module_version": "7.12"}),
        crash(6, "h1", NOW - timedelta(minutes=1), module="old.sys", code="0x139"),
    ]


def fill(lake: Lake, rows: list[dict]) -> Lake:
    append_rows(lake, "crash", rows)
    update = {"kind": "content", "channel": "291"}
    append_rows(
        lake,
        "update",
        [
            {**update, "update_id": "cf-290", "released_at": START},
            {**update, "update_id": "cf-291", "released_at": FAULT - timedelta(minutes=5)},
        ],
        batch_id="updates",
    )
    installs = [{"update_id": "cf-290", "applied_at": START, "host_id": f"h{n}"} for n in (1, 2, 3)]
    bad = [{"update_id": "cf-291", "applied_at": FAULT - timedelta(minutes=4), "host_id": f"h{n}"} for n in (2, 3)]
    append_rows(lake, "install", installs + bad, batch_id="installs")
    return lake


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    return fill(Lake.create(tmp_path_factory.mktemp("clusters") / "lake"), crashes())


@pytest.fixture
def engine(small):
    with Engine(small, as_of=NOW) as opened:
        yield opened


@pytest.fixture
def clusters(engine):
    return Clusters(engine)


def test_one_fault_is_one_cluster_with_exact_counts(clusters):
    fault, old = clusters.list()
    assert (fault.family, fault.cluster_id, fault.title) == (CONTENT, AGENT, "csagent.sys: invalid memory access")
    assert (fault.crashes, fault.hosts, fault.state) == (4, 2, State.NEW)
    assert (fault.first_seen, fault.last_seen) == (FAULT, FAULT + timedelta(minutes=3))
    assert fault.variants == (Variant(f"{CONTENT} 7.11 +0x7", 3), Variant(f"{CONTENT} 7.12 +0x7", 1))
    assert fault.os_type == {"windows": 4}
    assert (old.cluster_id, old.crashes, old.hosts, old.state) == (OLD, 3, 2, State.ONGOING)


def test_row_order_loading_twice_and_what_came_later_change_nothing(tmp_path, engine, small):
    rows = crashes()
    Random(1).shuffle(rows)
    lake = fill(Lake.create(tmp_path / "lake"), rows)
    later = NOW + timedelta(hours=1)
    append_rows(lake, "crash", [*rows, crash(9, "h4", later, module="csagent.sys")], batch_id="again")
    with Engine(lake, as_of=NOW) as other:
        assert Clusters(other).list() == Clusters(engine).list()
    with Engine(lake, as_of=later) as other:
        assert {one.cluster_id: one.hosts for one in Clusters(other).list()} == {AGENT: 3, OLD: 2}
    with Engine(lake, as_of=FAULT - timedelta(hours=1)) as other:
        assert [(one.cluster_id, one.crashes) for one in Clusters(other).list()] == [(OLD, 2)]


def test_what_was_signed_is_not_signed_again(engine, monkeypatch):
    known = Signatures()
    first = Clusters(engine, known).list()
    monkeypatch.setattr("fleetcrash.clustering.clusters.sign", lambda shape: pytest.fail(f"signed again: {shape}"))
    assert Clusters(engine, known).list() == first


def test_a_selection_narrows_counts_but_not_the_state(engine):
    Clusters(engine).keep()
    for name in TABLES_OF_THE_LAKE:
        engine.keep(name, name)
    selection = Selection(FAULT, FAULT + timedelta(microseconds=1), Filters(clusters=(AGENT,)))
    for name, query, parameters in selection.kept(TABLES_OF_A_SELECTION):
        engine.keep(name, query, **parameters)
    (found,) = Clusters(engine).list(selected=True)
    assert (found.cluster_id, found.crashes, found.hosts, found.os_type) == (AGENT, 1, 1, {"windows": 1})
    assert (found.first_seen, found.last_seen) == (FAULT, FAULT)
    assert (found.variants, found.state) == ((Variant(f"{CONTENT} 7.11 +0x7", 1),), State.NEW)


def test_one_cluster_and_one_that_is_not(clusters):
    assert clusters.one(AGENT) == clusters.list()[0]
    for ask in (clusters.one, clusters.sample):
        with pytest.raises(UnknownName, match="fleetcrash clusters"):
            ask("clu-0000000000")


def test_a_sample_shows_which_frame_decides(clusters):
    assert clusters.sample(AGENT).crash_id == "c2"
    stack = clusters.stack("c4")
    assert [(frame.module, frame.role.value) for frame in stack.frames] == [("nt", "reporting"), ("csagent", "decides")]
    assert stack.signature.cluster_id == AGENT
    with pytest.raises(UnknownName):
        clusters.stack("c99")


def test_what_came_before_the_first_crash_on_its_host(clusters):
    rows = clusters.precursors(AGENT).to_pylist()
    assert [(row["update_id"], row["lead_s"]) for row in rows] == [("cf-291", 240.0)]


def test_an_empty_lake_has_none(lake):
    with Engine(lake) as engine:
        assert Clusters(engine).list() == ()
