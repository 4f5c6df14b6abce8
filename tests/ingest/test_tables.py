"""Parquet files and tables in memory: the same rules on columns of any type."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fleetcrash.store.workbench import Workbench
from ingest import tables
from ingest.commit import Intake
from ingest.load import append_tables, load
from ingest.quarantine import replay
from ingest.report import IncompleteLoad, LoadReport
from tests.ingest.conftest import NOW, SOUND, answers, line, quarantined, rows_of, write

AT = datetime(2024, 7, 19, 4, 9, tzinfo=UTC)


def crashes(count: int = 3, **columns: object) -> pa.Table:
    """Sound crashes with some columns put in."""
    base = {
        "crash_id": pa.array([f"c{n}" for n in range(count)]),
        "host_id": pa.array([f"h{n}" for n in range(count)]),
        "occurred_at": pa.array([AT] * count, pa.timestamp("us", "UTC")),
        "os_type": pa.array(["windows"] * count),
    }
    return pa.table(base | columns)


def append(lake, table: pa.Table, kind: str = "crash", batch_id: str = "b1") -> LoadReport:
    return append_tables(lake, {kind: table}, batch_id=batch_id, source="memory", now=NOW)


COLUMNS = [
    ("agent_version", pa.array([4.10, None, 7.0]), "bad_value:agent_version", 2),
    ("agent_version", pa.array([4, None, 7]), "bad_value:agent_version", 2),
    (
        "agent_version",
        pa.array([Decimal("4.10"), None, None]).cast(pa.decimal256(40, 2)),
        "bad_value:agent_version",
        1,
    ),
    ("code", pa.array(["a\0b", "", None]), "bad_value:code", 1),
    ("code", pa.array([b"\xff", b"0x50", None]), "bad_value:code", 1),
    ("code", pa.array(["a", "b", None]).dictionary_encode(), None, 0),
    ("code", pa.array(["a", "b", None], pa.large_string()), None, 0),
    ("code", pa.array(["a", "b", None], pa.string_view()), None, 0),
    ("code", pa.nulls(3), None, 0),
    ("code", pa.array([[1], None, []]), "bad_value:code", 2),
    ("code", pa.array([True, None, None]), "bad_value:code", 1),
    ("occurred_at", pa.array([AT.replace(tzinfo=None)] * 3, pa.timestamp("ms")), None, 0),
    ("occurred_at", pa.array([1_721_362_140_000_000_001] * 3, pa.timestamp("ns")), None, 0),
    ("occurred_at", pa.array([2**60, -(2**60), 0], pa.timestamp("s")), "bad_time:occurred_at", 2),
    (
        "occurred_at",
        pa.array(["2024-07-19T04:09:00Z", "2024-07-19T04:09:00", "x"]),
        "bad_time:occurred_at",
        2,
    ),
    ("occurred_at", pa.array([1721362140] * 3), "bad_time:occurred_at", 3),
    ("occurred_at", pa.array([AT.date()] * 3), "bad_time:occurred_at", 3),
    (
        "occurred_at",
        pa.array([AT, None, AT], pa.timestamp("us", "Europe/Berlin")),
        "missing_field:occurred_at",
        1,
    ),
    ("received_at", pa.array([AT.replace(year=2029)] * 3), "future_time:received_at", 3),
    ("uptime_s", pa.array([1.5, float("nan"), float("inf")]), "bad_value:uptime_s", 2),
    ("uptime_s", pa.array([1, -1, None]), "bad_value:uptime_s", 1),
    ("uptime_s", pa.array([Decimal("1.5"), None, None]), None, 0),
    ("uptime_s", pa.array(["1", None, None]), "bad_value:uptime_s", 1),
    ("module_offset", pa.array([1.0, 1.5, None]), "bad_value:module_offset", 1),
    ("module_offset", pa.array([2**64 - 1, 1, None], pa.uint64()), "bad_value:module_offset", 1),
    ("module_offset", pa.array([True, None, None]), "bad_value:module_offset", 1),
    ("tags", pa.array([{"a": "1"}, {"b": "2"}, None]), None, 0),
    ("tags", pa.array([{"a": "1", "n": 1}, None, {}]), "bad_value:tags", 1),
    (
        "tags",
        pa.array([[("a", "1"), ("a", "2")], [], None], pa.map_(pa.string(), pa.string())),
        "bad_value:tags",
        1,
    ),
    (
        "tags",
        pa.array([[("a", None)], [("b", "\0")], None], pa.map_(pa.string(), pa.string())),
        "bad_value:tags",
        2,
    ),
    ("tags", pa.array([[("a", 1)], None, None], pa.map_(pa.string(), pa.int64())), "bad_value:tags", 1),
    ("tags", pa.array(['{"a": "1"}', "{", "[]"]), "bad_value:tags", 2),
    ("frames", pa.array([[{"module": "nt"}], [], None]), None, 0),
    ("frames", pa.array([[{"module": 5}], [None], None]), "bad_value:frames", 1),
    (
        "frames",
        pa.array([[{"module": "\0", "function": "", "offset": 1}], [None], None]),
        "bad_value:frames",
        1,
    ),
    ("frames", pa.array([["nt!f"], [], None]), "bad_value:frames", 1),
    ("frames", pa.array([[], [], None]), None, 0),
]


@pytest.mark.slow
def test_columns_of_any_type_are_judged_and_none_stops_the_load(lake):
    with Workbench(lake) as bench:
        intake = Intake(lake, bench, now=NOW)
        for number, (name, column, reason, refused) in enumerate(COLUMNS):
            ids = pa.array([f"{number}-{n}" for n in range(3)])
            table = crashes(3, **{"crash_id": ids, name: column})
            counts = intake.take(tables.of_tables({"crash": table}, batch_id=f"b{number}", source="memory"))
            assert counts.reasons == ({reason: refused} if reason else {}), (name, column.type)
            assert (counts.accepted, counts.quarantined) == (3 - refused, refused)
    stored = rows_of(lake, "crash")
    assert {str(row["tags"]) for row in stored} == {"None", "[]", "[('a', '1')]", "[('b', '2')]"}
    assert {row["occurred_at"] for row in stored} == {AT, datetime(1970, 1, 1, tzinfo=UTC)}
    assert len(rows_of(lake, "quarantine")) == sum(refused for _, _, _, refused in COLUMNS)


def test_a_row_put_aside_is_kept_as_json_that_loads_once_it_is_mended(lake, tmp_path):
    table = crashes(
        2,
        os_type=pa.array(["beos", "BeOS"]),
        tags=pa.array([{"a": "1"}, None]),
        Extra=pa.array([1, 2]),
        extra=pa.array([[AT], None]),
    )
    report = append(lake, table)
    assert (report.quarantined, report.unknown_fields) == (2, ("Extra", "extra"))
    first, second = quarantined(lake)
    assert (first["source"], first["line"], second["line"]) == ("memory", 1, 2)
    row = json.loads(first["raw"])
    assert (row["record"], row["Extra"], row["tags"]) == ("crash", 1, {"a": "1"})
    mended = first["raw"].replace(b"beos", b"linux")
    assert load(lake, [write(tmp_path / "mended.ndjson", [mended])], now=NOW).accepted == 1


@pytest.mark.slow
def test_what_no_column_is_due_to_be_is_kept_and_taken_in_no_replay_without_it(lake):
    not_utf8 = pa.array([[("a", b"\xff")]] * 2, pa.map_(pa.string(), pa.binary()))
    frames = pa.array([[{"module": "m", "offset": Decimal(5)}], None])
    tables_of = {
        "numbers": {"tags": pa.array([[("a", 1)], None], pa.map_(pa.string(), pa.int64())), "frames": frames},
        "bytes": {"tags": not_utf8.cast(pa.map_(pa.string(), pa.string()), safe=False)},
        "times": {"tags": pa.array([[("a", 2**62)], None], pa.map_(pa.string(), pa.timestamp("s")))},
    }
    for name, columns in tables_of.items():
        append(lake, crashes(2, crash_id=pa.array([f"{name}-0", f"{name}-1"]), **columns), batch_id=name)
    raw = {(row := json.loads(one["raw"]))["crash_id"]: row for one in quarantined(lake)}
    assert (raw["numbers-0"]["tags"], raw["numbers-0"]["frames"]) == ([["a", 1]], [{"module": "m", "offset": "5"}])
    assert {raw[one]["tags"]["unreadable"] for one in ("bytes-0", "bytes-1", "times-0")} == {True}
    assert len(raw) == 4
    report, stay = replay(lake, now=NOW, reason=None)
    assert (report.read, stay) == (0, 4)


@pytest.mark.slow
def test_tables_and_lines_of_the_same_records_are_the_same_records(lake, tmp_path):
    by_kind = {kind: pa.Table.from_pylist([record]) for kind, record in SOUND.items()}
    assert append_tables(lake, by_kind, batch_id="b", source="memory", now=NOW).accepted == 6
    report = load(lake, [write(tmp_path / "same.ndjson", [line(kind) for kind in SOUND])], now=NOW)
    assert (report.accepted, report.duplicates) == (0, 6)


@pytest.mark.slow
def test_a_batch_of_tables_is_taken_once(lake):
    assert append(lake, crashes()).accepted == 3
    before = answers(lake)
    report = append(lake, crashes())
    assert (report.accepted, report.duplicates) == (0, 3)
    assert answers(lake) == before
    assert append(lake, crashes(), kind="reboot", batch_id="b2").reasons == {"unknown_record": 3}
    assert append(lake, crashes(0), batch_id="b3").read == 0


def test_the_kind_is_told_by_the_record_column_or_else_by_the_name(lake, tmp_path):
    named = tmp_path / "crashes-2024.parquet"
    pq.write_table(crashes(), named)
    told = tmp_path / "export.parquet"
    record = pa.array(["host", "crash", None, "reboot"])
    pq.write_table(crashes(4, crash_id=pa.array(list("abcd"))).append_column("record", record), told)
    both = tmp_path / "host-and-more.parquet"
    pq.write_table(crashes(2, host_id=pa.array(["x", "y"])).append_column("record", pa.array([None, "crash"])), both)
    number = tmp_path / "crash-5.parquet"
    pq.write_table(crashes(2).append_column("record", pa.array([5, 5])), number)
    neither = tmp_path / "export2.parquet"
    pq.write_table(crashes(), neither)
    with pytest.raises(IncompleteLoad, match="no column `record`") as raised:
        load(lake, [named, told, both, number, neither], now=NOW)
    report = raised.value.report
    assert (report.read, report.accepted, report.duplicates) == (11, 6, 1)  # crash c1 of `both` is in `named`
    assert report.reasons == {"unknown_record": 4}
    assert {row["host_id"] for row in rows_of(lake, "host")} == {"h0", "x"}
    assert [row["line"] for row in quarantined(lake)] == [1, 2, 3, 4]


def test_parts_of_a_folder_that_is_named_after_a_kind_are_of_that_kind(lake, tmp_path):
    parts = {
        "crash/part-0.parquet": "a",
        "Crash.parquet/day=2024-07-19/part-0.parquet": "b",
        "host/crash-2.parquet": "c",
        "crashes/part-0.parquet": "d",
    }
    for name, crash_id in parts.items():
        path = tmp_path / "in" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(crashes(1, crash_id=pa.array([crash_id])), path)
    rows = tmp_path / "in" / "crash.csv" / "part-0.csv"
    rows.parent.mkdir()
    rows.write_text("crash_id,host_id,occurred_at,os_type\ne,h1,2024-07-19T04:00:00Z,windows\nf,,,\n")
    with pytest.raises(IncompleteLoad, match=r"crashes/part-0\.parquet has no column `record`") as raised:
        load(lake, [tmp_path / "in"], now=NOW)
    assert {row["crash_id"] for row in rows_of(lake, "crash")} == set("abce")
    assert raised.value.report.reasons == {"missing_field:host_id": 1}


@pytest.mark.slow
def test_a_file_that_is_no_parquet_or_is_damaged_is_unreadable(lake, tmp_path, monkeypatch):
    monkeypatch.setattr(tables, "BATCH_ROWS", 1000)
    whole = tmp_path / "crash.parquet"
    ids = pa.array([f"{n}{n**7:x}" for n in range(5000)])
    pq.write_table(crashes(5000, crash_id=ids), whole, row_group_size=1000, use_dictionary=False)
    data = whole.read_bytes()
    footless, empty = tmp_path / "crash-1.parquet", tmp_path / "crash-2.parquet"
    footless.write_bytes(data[:-7] + b"garbage")
    empty.touch()
    broken = tmp_path / "crash-3.parquet"
    middle = pq.ParquetFile(whole).metadata.row_group(3).column(0).data_page_offset
    broken.write_bytes(data[:middle] + b"\xff" * 300 + data[middle + 300 :])
    with pytest.raises(IncompleteLoad) as raised:
        load(lake, [footless, empty, broken], now=NOW)
    assert len(raised.value.problems) == 3
    assert all("cannot be read as Parquet" in problem for problem in raised.value.problems)
    assert raised.value.report.accepted in (
        2000,
        3000,
    )  # whole batches before the damage; one may be read ahead
    assert load(lake, [whole], now=NOW).accepted == 5000 - raised.value.report.accepted


def test_of_a_column_that_is_there_twice_none_is_believed(lake, tmp_path):
    path = tmp_path / "crash.parquet"
    pq.write_table(crashes().append_column("host_id", [["h7", "h8", "h9"]]), path)
    with pytest.raises(
        IncompleteLoad, match=r"crash\.parquet names a column twice: host_id\. Nothing of it was loaded"
    ):
        load(lake, [path], now=NOW)
    assert rows_of(lake, "crash") == []


def test_a_numeric_version_column_is_bad_in_every_row_of_a_file(lake, tmp_path):
    path: Path = tmp_path / "crash.parquet"
    pq.write_table(crashes(5, agent_version=pa.array([4.1] * 5)), path)
    assert load(lake, [path], now=NOW).reasons == {"bad_value:agent_version": 5}


@pytest.mark.slow
def test_what_is_no_text_in_a_column_of_text_is_put_aside_as_such_and_no_replay_takes_it(lake):
    no_text = {
        "date": pa.array([date(2024, 7, 18)]),
        "time": pa.array([NOW], pa.timestamp("us", tz="UTC")),
        "far": pa.array([1 << 62], pa.timestamp("s")),
        "bytes": pa.array([b"\xff"]),
        "span": pa.array([5], pa.duration("s")),
        "months": pa.array([(1, 2, 3)], pa.month_day_nano_interval()),
    }
    for name, values in no_text.items():
        append(lake, crashes(1, crash_id=pa.array([name]), agent_version=values), batch_id=name)
    assert {one["reason"] for one in quarantined(lake)} == {"bad_value:agent_version"}
    assert len(quarantined(lake)) == len(no_text)
    raw = {(row := json.loads(one["raw"]))["crash_id"]: row["agent_version"] for one in quarantined(lake)}
    assert (raw["date"], raw["bytes"]) == ({"not_text": "2024-07-18"}, {"not_text": "\\xFF"})
    report, stay = replay(lake, now=NOW)
    assert (report.read, stay) == (0, len(no_text))


def test_bytes_that_are_text_are_put_aside_as_that_text(lake):
    codes = pa.array([b"\xc3\xa9", b"\xff", None])  # the second makes them a column of bytes
    append(lake, crashes(3, code=codes, os_type=pa.array(["beos"] * 3)))
    assert [json.loads(one["raw"])["code"] for one in quarantined(lake)] == ["é", {"not_text": "\\xFF"}, None]
