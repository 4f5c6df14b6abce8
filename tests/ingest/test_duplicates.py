"""What counts as the same record, and that neither order nor repetition nor cuts change an answer."""

from __future__ import annotations

import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from fleetcrash.store import Lake
from ingest import ndjson
from ingest.load import load
from tests.dashboard.fleet import versions
from tests.ingest.conftest import NOW, SOUND, answers, line, rows_of, write

# Each example makes lakes on disk and holds dozens of lines: a few of them test a lot, and shrinking one takes
# minutes.
FEW = settings(
    max_examples=3,
    deadline=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)

TIMES = st.sampled_from([None, *(f"2024-07-19T04:0{minute}:00Z" for minute in range(3))])
CHANGES = {
    "crash": {
        "crash_id": st.sampled_from("abc"),
        "received_at": TIMES,
        "code": st.sampled_from(["0x50", "0x7e", None]),
    },
    "install": {
        "host_id": st.sampled_from("ab"),
        "received_at": TIMES,
        "action": st.sampled_from(["installed", "removed"]),
    },
    "update": {"received_at": TIMES, "version": st.sampled_from(["7.9", "7.11"])},
    "host": {"host_id": st.sampled_from("ab"), "seen_at": TIMES},
    "heartbeat": {"host_id": st.sampled_from("ab"), "at": TIMES, "received_at": TIMES},
    "session": {"host_id": st.sampled_from("ab"), "received_at": TIMES, "online_until": TIMES},
}


@st.composite
def sound_lines(draw: st.DrawFn) -> bytes:
    kind = draw(st.sampled_from(list(SOUND)))
    changes = {name: draw(values) for name, values in CHANGES[kind].items()}
    if kind == "heartbeat" and changes["at"] is None:
        changes["at"] = "2024-07-19T04:00:00Z"
    if kind == "host":
        changes["region"] = changes["seen_at"]  # of two rows of a host known at one instant, neither is the newest
    return line(kind, **changes)


ANY_LINES = st.lists(
    st.one_of(
        sound_lines(),
        st.binary(max_size=30).map(lambda raw: raw.replace(b"\n", b"")),
        st.recursive(
            st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5),
            lambda inner: st.lists(inner) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
            max_leaves=8,
        ).map(lambda value: json.dumps(value).encode()),
        st.tuples(st.sampled_from(list(SOUND)),
                  st.sampled_from(["host_id", "received_at", "tags", "frames", "uptime_s"]),
                  st.sampled_from([None, 0, -1, "", "x", {}, [], [[]], {"a": {}}, True, 2**70]))
        .map(lambda picked: line(picked[0], **{picked[1]: picked[2]})),
    ),
    min_size=20,
    max_size=60,
)  # fmt: skip


def loaded(*parts: list[bytes], again: bool = False) -> tuple[dict[str, list[str]], dict[str, int]]:
    """The answers of a lake that was loaded part by part, and how many rows its tables have."""
    with TemporaryDirectory() as folder:
        lake = Lake.create(Path(folder) / "lake")
        files = [write(Path(folder) / f"{number}.ndjson", part) for number, part in enumerate(parts)]
        for _ in range(2 if again else 1):
            report = load(lake, files, now=NOW)
            assert report.read == report.accepted + report.duplicates + report.quarantined
        return answers(lake), {name: len(rows_of(lake, name)) for name in [*SOUND, "quarantine", "batch"]}


@FEW
@given(ANY_LINES)
def test_every_line_is_stored_a_duplicate_or_quarantined(lines):
    with TemporaryDirectory() as folder:
        lake = Lake.create(Path(folder) / "lake")
        report = load(lake, [write(Path(folder) / "any.ndjson", lines)], now=NOW)
        assert report.read == sum(bool(raw.strip(b" \t\r\n")) for raw in lines)
        assert report.read == report.accepted + report.duplicates + report.quarantined
        assert report.quarantined == sum(report.reasons.values()) == len(rows_of(lake, "quarantine"))
        assert {row["raw"] for row in rows_of(lake, "quarantine")} <= set(lines)


@pytest.mark.slow
@FEW
@given(st.lists(sound_lines(), min_size=5, max_size=40), st.data())
def test_order_repetition_and_cuts_change_no_answer(lines, data):
    once, tables = loaded(lines)
    twice, tables_twice = loaded(lines, again=True)
    assert twice == once
    assert tables_twice == tables
    cut = data.draw(st.integers(0, len(lines)))
    shuffled = data.draw(st.permutations(lines))
    assert loaded(shuffled[:cut], shuffled[cut:])[0] == once


@pytest.mark.slow
def test_cutting_a_source_into_batches_changes_no_answer(monkeypatch):
    lines = [line("crash", crash_id=f"c{n % 7}", received_at=f"2024-07-19T04:0{n % 9}:00Z") for n in range(24)]
    whole, tables = loaded(lines)
    monkeypatch.setattr(ndjson, "BATCH_BYTES", 2000)
    cut, tables_cut = loaded(lines, again=True)
    assert cut == whole
    assert tables["batch"] == 1
    assert tables_cut["batch"] > 5


@pytest.mark.slow
def test_a_second_load_of_a_file_adds_nothing_and_counts_the_same(load_lines, lake):
    lines = [
        line("crash"),
        line("crash", code="0x7e"),
        line("install"),
        line("crash", os_type=5),
        b"{",
        line("host", x=1),
    ]
    first = load_lines(*lines)
    assert (first.read, first.accepted, first.duplicates, first.quarantined) == (6, 3, 1, 2)
    before_it = versions(lake)
    second = load_lines(*lines)
    assert (second.read, second.accepted, second.duplicates, second.quarantined) == (6, 0, 4, 2)
    assert (second.reasons, second.unknown_fields) == (first.reasons, first.unknown_fields)
    renamed = load_lines(*lines, name="copy.ndjson")
    assert (renamed.accepted, renamed.duplicates) == (0, 4)
    assert versions(lake) == before_it


@pytest.mark.slow
def test_of_two_reports_of_a_crash_the_earlier_known_wins_in_any_order(load_lines, lake):
    late = line("crash", code="late", received_at="2024-07-19T05:00:00Z")
    early = line("crash", code="early", received_at="2024-07-19T04:30:00Z")
    assert load_lines(late, name="1.ndjson").accepted == 1
    report = load_lines(early, name="2.ndjson")
    assert (report.accepted, report.duplicates) == (0, 1)
    assert len(rows_of(lake, "crash")) == 2
    assert load_lines(late, early, name="3.ndjson").duplicates == 2
    assert len(rows_of(lake, "crash")) == 2
    (crash,) = answers(lake)["crashes"]
    assert "'code': 'early'" in crash


def test_identical_host_update_and_session_rows_are_duplicates_and_changed_ones_are_not(load_lines, lake):
    seen = [line("host", region="eu", seen_at=f"2024-07-19T0{hour}:00:00Z") for hour in (1, 1, 2)]
    report = load_lines(*seen, line("host", region="us", seen_at="2024-07-19T01:00:00Z"), name="hosts.ndjson")
    assert (report.accepted, report.duplicates) == (3, 1)
    report = load_lines(line("session"), line("session", online_until="2024-07-19T05:00:00Z"), line("session"))
    assert (report.accepted, report.duplicates) == (2, 1)
    report = load_lines(
        line("update"), line("update"), line("update", reverted_at="2024-07-19T05:27:00Z"), name="u.jsonl"
    )
    assert (report.accepted, report.duplicates) == (2, 1)


def test_a_default_that_is_spelled_out_makes_no_other_record(load_lines):
    report = load_lines(line("install"), line("install", action="installed"), line("install", action="removed"))
    assert (report.accepted, report.duplicates) == (2, 1)


def test_a_record_that_lies_in_no_batch_is_leant_on_without_one(lake, tmp_path):
    load(lake, [write(tmp_path / "a.ndjson", [line("heartbeat")])], now=NOW)
    stored = rows_of(lake, "heartbeat")
    another = Lake.create(tmp_path / "another")
    another.append("heartbeat", pa.Table.from_pylist([{**stored[0], "batch_id": None}]), batch_id="by hand")
    report = load(another, [tmp_path / "a.ndjson"], now=NOW)
    assert (report.accepted, report.duplicates) == (0, 1)
    assert [row["leans_on"] for row in rows_of(another, "batch")] == [None]


def test_of_two_loads_of_the_same_at_one_time_only_one_says_that_it_was_accepted(lake, tmp_path, monkeypatch):
    path = write(tmp_path / "in.ndjson", [line("crash"), line("host"), b"nonsense"])
    append, reports = Lake.append, []

    def overtaken(mine: Lake, table: str, rows: pa.Table, **named: Any) -> bool:
        if table == "crash":
            monkeypatch.undo()
            reports.append(load(Lake.open(lake.root), [path], now=NOW))
        return append(mine, table, rows, **named)

    monkeypatch.setattr(Lake, "append", overtaken)
    reports.append(load(lake, [path], now=NOW))
    assert [(report.accepted, report.duplicates, report.quarantined) for report in reports] == [(2, 0, 1), (0, 2, 1)]
    assert [entry["accepted"] for entry in rows_of(lake, "batch")] == [2]
    assert len(rows_of(lake, "crash")) == len(rows_of(lake, "host")) == len(rows_of(lake, "quarantine")) == 1
