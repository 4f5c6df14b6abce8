"""What was put aside is listed, and taken in once the rules let it pass; both as often as one likes."""

from __future__ import annotations

import io
import json
import sys
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fleetcrash.errors import BadArgument, LakeError
from fleetcrash.store import Lake, schema
from fleetcrash.store.forgetting import forget
from ingest import commit, quarantine
from ingest.load import load
from ingest.quarantine import listed, replay
from tests.dashboard.fleet import versions
from tests.ingest.conftest import NOW, answers, full_disk, line, rows_of, write

SOON = "2024-07-21T12:00:00Z"  # too far ahead of NOW, and no longer so a day later
LATER = NOW + timedelta(days=2)


def soon(crash_id: str) -> bytes:
    return line("crash", crash_id=crash_id, occurred_at=SOON, received_at=None)


def aside(lake: Lake) -> dict[str, int]:
    return {row["reason"]: row["records"] for row in listed(lake)["reasons"]}


def test_it_is_listed_by_reason_with_samples_that_no_terminal_minds(lake, load_lines):
    load_lines(b"\x1b[2J{", b"\xff\xfe", line("crash", os_type="beos"), line("crash"), name="in.ndjson")
    found = listed(lake, samples=1)
    json.dumps(found, allow_nan=False)
    assert (found["schema"], found["quarantined"]) == (1, 3)
    assert [(row["reason"], row["records"], row["sources"]) for row in found["reasons"]] == [
        ("not_json", 2, 1),
        ("bad_value:os_type", 1, 1),
    ]
    (sample,) = found["reasons"][0]["samples"]
    assert sample["raw"] == "\\x1b[2J{"
    assert (Path(sample["source"]).name, sample["line"], sample["size_bytes"]) == ("in.ndjson", 1, 5)
    assert found["reasons"][1]["samples"][0]["raw"].startswith('{"record": "crash"')


def test_junk_takes_little_more_room_than_its_bytes_and_all_of_it_is_put_aside(lake, tmp_path, monkeypatch):
    monkeypatch.setattr(commit, "_REFUSED_AT_ONCE", 300)
    monkeypatch.setattr(schema, "_ROWS_AT_ONCE", 300)
    source, held = "in" * 50, []
    append = Lake.append

    def noted(self: Lake, table: str, rows: pa.Table, **named: Any) -> bool:
        held.append(rows.nbytes)
        return append(self, table, rows, **named)

    monkeypatch.setattr(Lake, "append", noted)
    load(lake, [write(tmp_path / source, [b"bad"] * 1000).rename(tmp_path / f"{source}.ndjson")], now=NOW)
    assert max(held) < 50_000  # a name and a batch in each row would be 160,000 more
    rows = rows_of(lake, "quarantine")
    assert sorted(row["line"] for row in rows) == list(range(1, 1001))
    assert {Path(row["source"]).stem for row in rows} == {source}


def test_what_a_file_put_aside_before_it_grew_is_not_put_aside_twice(lake, tmp_path):
    lines = [b"bad", line("crash"), b"bad", line("crash", os_type="beos")]
    load(lake, [write(tmp_path / "in.ndjson", lines)], now=NOW)
    grown = load(lake, [write(tmp_path / "in.ndjson", [*lines, b"bad"])], now=NOW)
    assert (grown.read, grown.duplicates, grown.quarantined) == (5, 1, 4)
    assert aside(lake) == {"not_json": 3, "bad_value:os_type": 1}


def test_of_two_streams_with_no_name_each_has_its_own_put_aside(lake, monkeypatch):
    for more in (b"", b"bad\n"):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"bad\n" + more)))
        load(lake, ["-"], now=NOW)
    assert aside(lake) == {"not_json": 3}


@pytest.mark.slow
def test_what_was_loaded_before_a_host_was_forgotten_is_reported_as_then(lake, tmp_path):
    lines = [line("crash", host_id="gone", os_type="beos"), line("crash", host_id="gone"), b"bad"]
    path = write(tmp_path / "in.ndjson", lines)
    first = load(lake, [path], now=NOW)
    assert forget(lake, "gone").found
    again = load(lake, [path], now=NOW)
    assert (again.quarantined, again.reasons) == (2, first.reasons)
    assert aside(lake) == {"not_json": 1}


def test_an_empty_quarantine_is_listed_and_replayed(lake, load_lines):
    load_lines(line("crash"))
    assert listed(lake) == {"schema": 1, "quarantined": 0, "reasons": []}
    report, stay = replay(lake, now=NOW)
    assert (report.read, report.accepted, stay) == (0, 0, 0)


def test_what_the_rules_let_pass_by_now_is_taken_in_once(lake, load_lines):
    load_lines(soon("soon"), line("crash"), line("crash", os_type="beos"), b"{")
    before = answers(lake)
    report, stay = replay(lake, now=NOW)
    assert (report.read, stay, answers(lake)) == (0, 3, before)
    report, stay = replay(lake, now=LATER)
    assert (report.read, report.accepted, report.duplicates, stay) == (1, 1, 0, 2)
    assert aside(lake) == {"bad_value:os_type": 1, "not_json": 1}
    assert {row["crash_id"] for row in rows_of(lake, "crash")} == {"c1", "soon"}
    before_it = versions(lake)
    report, stay = replay(lake, now=LATER)
    assert (report.read, stay) == (0, 2)
    assert versions(lake) == before_it
    assert len(rows_of(lake, "quarantine")) == 3, "nothing is thrown away"


def test_one_reason_alone_is_replayed(lake, load_lines):
    load_lines(soon("a"), line("install", applied_at=SOON, received_at=None))
    report, stay = replay(lake, now=LATER, reason="future_time:applied_at")
    assert (report.accepted, stay) == (1, 0)
    assert aside(lake) == {"future_time:occurred_at": 1}


def test_a_reason_that_is_none_is_bad_use_and_one_that_holds_nothing_is_not(lake, load_lines):
    load_lines(soon("a"), b"{")
    with pytest.raises(BadArgument, match=r"no reason 'not_jason'.*holds: future_time:occurred_at, not_json\."):
        replay(lake, now=LATER, reason="not_jason")
    assert aside(lake) == {"future_time:occurred_at": 1, "not_json": 1}
    report, stay = replay(lake, now=LATER, reason="not_csv")
    assert (report.read, stay) == (0, 0)


def test_a_reason_of_another_version_is_replayed_while_something_is_held_for_it(lake, load_lines, monkeypatch):
    load_lines(soon("a"))
    monkeypatch.setattr("ingest.quarantine.wanted_by_reason", dict)
    report, stay = replay(lake, now=LATER, reason="future_time:occurred_at")
    assert (report.accepted, stay) == (1, 0)
    with pytest.raises(BadArgument, match="holds: nothing"):
        replay(lake, now=LATER, reason="future_time:occurred_at")


def test_rows_of_parquet_and_of_csv_are_read_as_what_they_were(lake, tmp_path):
    soon = datetime.fromisoformat(SOON)
    table = {"crash_id": ["p1", "p2"], "host_id": ["h", "h"], "occurred_at": [soon, NOW], "os_type": ["linux", "linux"]}
    pq.write_table(pa.table(table), tmp_path / "crash.parquet")
    rows = [f'"c,{n}\nx",h,{SOON if n % 2 else "2024-07-19T00:00:00Z"},linux'.encode() for n in range(5)]
    write(tmp_path / "crash.csv", [b"crash_id,host_id,occurred_at,os_type", *rows])
    load(lake, [tmp_path / "crash.csv", tmp_path / "crash.parquet"], now=NOW)
    assert aside(lake) == {"future_time:occurred_at": 3}
    report, stay = replay(lake, now=LATER)
    assert (report.accepted, stay) == (3, 0)
    assert {row["crash_id"] for row in rows_of(lake, "crash")} == {"p1", "p2", *(f"c,{n}\nx" for n in range(5))}


def test_rows_of_csv_with_open_quotes_are_not_one_record_between_them(lake, tmp_path):
    sound = "2024-07-19T00:00:00Z"
    rows = [
        f'c1,h1,{sound},linux,"bad',
        f'c2,h2,{sound},linux,"good"',  # between them the quotes do not make a field
        f'c3,h3,{sound},linux,x"',
        f'c4,h4,{SOON},linux,"a\n""b"""',
        f"c5,h5,{SOON},linux,c",
    ]
    write(tmp_path / "crash.csv", [row.encode() for row in ("crash_id,host_id,occurred_at,os_type,module", *rows)])
    load(lake, [tmp_path / "crash.csv"], now=NOW)
    assert aside(lake) == {"not_csv": 2, "future_time:occurred_at": 2}
    report, stay = replay(lake, now=LATER)
    assert (report.accepted, stay, aside(lake)) == (2, 2, {"not_csv": 2})
    modules = {row["crash_id"]: row["module"] for row in rows_of(lake, "crash")}
    assert modules == {"c2": "good", "c4": 'a\n"b"', "c5": "c"}


@pytest.mark.slow
def test_a_list_of_windows_events_is_no_csv_of_records_whatever_it_is_called(lake, tmp_path):
    said = ", version: 1.0.0.0, time stamp: 0x12345678"
    event = f'"Faulting application name: a.exe{said} Faulting module name: b.dll{said} Exception code: 0xc0000005 '
    rows = [
        "Level,Date and Time,Source,Event ID,Task Category",
        f'Error,7/19/2024 4:09:33 AM,Application Error,1000,(100),{event}Fault offset: 0x0000000000001234"',
    ]
    write(tmp_path / "events.csv", [row.encode() for row in rows])
    load(lake, [tmp_path / "events.csv", write(tmp_path / "in.ndjson", [soon("c1")])], now=NOW)
    assert aside(lake) == {"missing_field:host_id": 1, "future_time:occurred_at": 1}
    report, stay = replay(lake, now=LATER)
    assert (report.accepted, stay) == (1, 1)
    assert aside(lake) == {"missing_field:host_id": 1}


@pytest.mark.slow
@pytest.mark.parametrize("fatal", ["crash", "install", "batch", "mark"])
def test_a_replay_that_dies_and_is_run_again_takes_in_each_record_once(lake, load_lines, fatal):
    load_lines(*(soon(f"c{n}") for n in range(3)), line("install", applied_at=SOON, received_at=None))
    with full_disk(fatal), pytest.raises(LakeError):
        replay(lake, now=LATER)
    _, stay = replay(lake, now=LATER)
    assert stay == 0
    assert [len(rows_of(lake, kind)) for kind in ("crash", "install")] == [3, 1]
    assert len(answers(lake, as_of=LATER)["crashes"]) == 3
    assert aside(lake) == {}


@pytest.mark.slow
def test_what_many_batches_put_aside_is_marked_at_once_up_to_a_bound(lake, load_lines, monkeypatch):
    for number in range(5):
        load_lines(soon(f"c{number}"), soon("same"), b"{", name=f"{number}.ndjson")
    before = versions(lake)["quarantine"]
    monkeypatch.setattr(quarantine, "_MARKED_RECORDS", 6)
    seen: list[tuple[int, int]] = []
    report, stay = replay(lake, now=LATER, progress=lambda done, total: seen.append((done, total)))
    assert seen == [(done, 5) for done in range(5)]
    assert (report.accepted, report.duplicates, stay, aside(lake)) == (6, 4, 5, {"not_json": 5})
    assert versions(lake)["quarantine"] == before + 2, "three batches, and then two"


@pytest.mark.slow
def test_a_host_that_is_forgotten_while_a_replay_runs_is_none_of_its_business(lake, load_lines, monkeypatch):
    for number in range(3):
        load_lines(line("crash", crash_id=f"c{number}", host_id=f"host-{number}", occurred_at=SOON, received_at=None))
    retake = commit.Intake.retake
    left = ["host-0", "host-1", "host-2"]

    def meanwhile(self: commit.Intake, arrival: Any, **named: Any) -> Any:
        taken = retake(self, arrival, **named)
        if len(left) == 3:
            (crash,) = rows_of(lake, "crash")
            left.remove(crash["host_id"])
            forget(lake.for_another_thread(), left[0])
        return taken

    monkeypatch.setattr(commit.Intake, "retake", meanwhile)
    monkeypatch.setattr(quarantine, "_MARKED_RECORDS", 1)
    report, stay = replay(lake, now=LATER)
    assert (report.accepted, stay) == (2, 0)
    assert left[0] not in {row["host_id"] for row in rows_of(lake, "crash")}


@pytest.mark.slow
def test_what_an_unfinished_load_put_aside_stays_and_is_counted_until_it_is_finished(lake, load_lines):
    unfinished = (line("crash", crash_id="c1"), soon("c2"))
    with full_disk("batch"), pytest.raises(LakeError):
        load_lines(*unfinished, name="a.ndjson")
    assert aside(lake) == {}, "nobody sees it"
    load_lines(line("crash", crash_id="c1"), line("crash", crash_id="c3"), name="b.ndjson")
    assert aside(lake) == {"future_time:occurred_at": 1}, "the second load leans on the first"
    report, stay = replay(lake, now=LATER)
    assert (report.read, stay) == (0, 1)
    load_lines(*unfinished, name="a.ndjson")
    report, stay = replay(lake, now=LATER)
    assert (report.accepted, stay, aside(lake)) == (1, 0, {})


@pytest.mark.slow
def test_the_same_bad_line_of_two_files_is_one_record_and_one_duplicate(lake, load_lines):
    for name in ("a.ndjson", "b.ndjson"):
        load_lines(soon("c1"), line("crash", crash_id=name), name=name)
    report, stay = replay(lake, now=LATER)
    assert (report.read, report.accepted, report.duplicates, stay) == (2, 1, 1, 0)
