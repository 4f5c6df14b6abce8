"""CSV files: their headers, how they come and how they are cut."""

from __future__ import annotations

import codecs
import gzip
import random

import pyarrow as pa
import pytest

from fleetcrash.records import Kind
from fleetcrash.store import Lake
from ingest import csv_rows
from ingest.load import load
from ingest.report import IncompleteLoad
from tests.ingest.conftest import NOW, answers, quarantined, rows_of
from tests.ingest.crashes_as_csv import HEADER, NAMES, load_csv, row


def test_every_suffix_is_read_and_a_compressed_file_is_the_same_batch(lake, tmp_path):
    data = HEADER + b"\n" + row() + b"\n" + row(b'c2"')
    (tmp_path / "crash.csv").write_bytes(data)
    (tmp_path / "crash-1.CSV.GZ").write_bytes(gzip.compress(data))
    with pa.CompressedOutputStream(pa.OSFile(str(tmp_path / "crash-2.csv.zst"), "wb"), "zstd") as stream:
        stream.write(data)
    report = load(lake, sorted(tmp_path.glob("crash*")), now=NOW)
    assert (report.read, report.accepted, report.duplicates, report.quarantined) == (6, 1, 2, 3)
    assert len(rows_of(lake, "batch")) == len(rows_of(lake, "quarantine")) == 1


def test_line_ends_a_mark_and_blank_lines_are_no_part_of_a_record(lake, tmp_path):
    head = b",".join(b'"' + name.encode() + b'"' for name in NAMES)
    lines = [
        b"",
        head,
        row(),
        b"",
        b" \t",
        row(b"c2"),
        b'"c3"' + row(b"", b'0x50,"{}"'),
        b"",
        row(b"c4", b"a\rb,"),
        b"",
    ]
    report = load_csv(lake, tmp_path, codecs.BOM_UTF8 + b"\r\n".join(lines))
    assert (report.read, report.accepted) == (4, 4)
    assert {crash["crash_id"]: crash["code"] for crash in rows_of(lake, "crash")} == {
        "c1": None, "c2": None, "c3": "0x50", "c4": "a\rb",
    }  # fmt: skip
    assert load_csv(lake, tmp_path, b"\n".join(lines), "crash-lf.csv").duplicates == 4


def test_a_quote_that_is_never_closed_at_the_end_of_a_file_costs_its_own_line(lake, tmp_path):
    lines = [HEADER, row(b"c1"), row(b"c2", b'"open,'), *(row(b"d%d" % number) for number in range(100))]
    report = load_csv(lake, tmp_path, b"\n".join(lines))
    assert (report.accepted, report.reasons) == (101, {"not_csv": 1})


UNREADABLE = [
    (b"a,b\n1,2", "crash.csv", "line 1, which must name the columns, has no known column: 'a,b'.*crash_id, host_id"),
    (
        b"Crash ID,Hostname,OS,Time\n1,2,3,4",
        "crash.csv",
        "Rename the columns; or, if the file has no header, put one above",
    ),
    (b"\n\n" + row() + b"\n", "crash.csv", "line 3, .* has no known column"),
    (HEADER.replace(b",", b";") + b"\n", "crash.csv", "separated by semicolons; commas are read"),
    (HEADER.replace(b",", b"\t") + b"\n", "crash.csv", "separated by tabs; commas are read"),
    (HEADER + b"\r" + row(b"c1") + b"\r" + row(b"c2", b'"0x50"') + b"\r", "crash.csv", "LF or CRLF, not with CR alone"),
    (HEADER + (b"\r" + row(b"c1")) * 5000, "crash.csv", "LF or CRLF, not with CR alone"),
    (b"host_id,crash_id,host_id\n", "crash.csv", "names a column twice: host_id"),
    (b"host_id,\xff\n", "crash.csv", "is not UTF-8"),
    (HEADER.decode().encode("utf-16"), "crash.csv", "is not UTF-8"),
    (b'host_id,a"b\n', "crash.csv", "has a quote in the middle of a name"),
    (b'host_id,"open\n' + row(), "crash.csv", "never closed"),
    (b"host_id," + b"x" * (1 << 20), "crash.csv", "is longer than 64 KiB"),
    (HEADER + b"\n" + row(), "export.csv", "no column `record`.*Rename it, such as crash-export.csv"),
]


@pytest.mark.variants
@pytest.mark.parametrize(("data", "name", "message"), UNREADABLE)
def test_a_file_without_a_header_to_read_by_is_unreadable(lake, tmp_path, data, name, message):
    with pytest.raises(IncompleteLoad, match=message) as raised:
        load_csv(lake, tmp_path, data, name)
    assert raised.value.report.read == 0
    assert "Nothing of it was loaded." in str(raised.value)
    assert rows_of(lake, "batch") == rows_of(lake, "quarantine") == []


@pytest.mark.parametrize("data", [b"", b"\n", b"\r\n \r\n", codecs.BOM_UTF8, HEADER, HEADER + b"\r\n\r\n"])
def test_a_file_without_a_row_is_empty_and_no_error(lake, tmp_path, data):
    assert load_csv(lake, tmp_path, data).read == 0


def test_columns_without_a_name_may_come_more_than_once(lake, tmp_path):
    report = load_csv(lake, tmp_path, HEADER + b",,\n" + row() + b",,\n" + row(b"c2") + b",x,")
    assert (report.accepted, report.unknown_fields) == (2, ("",))


def test_a_record_that_is_too_long_is_put_aside_and_one_that_cannot_be_held_stops_the_file(lake, tmp_path, monkeypatch):
    monkeypatch.setattr(csv_rows, "BATCH_BYTES", 1000)
    monkeypatch.setattr(csv_rows, "LONGEST_LINE_BYTES", 2000)
    monkeypatch.setattr(csv_rows, "LONGEST_HELD_BYTES", 5000)
    long = row(b"c2", b'"' + b"x\n" * 1000 + b'",')
    data = b"\n".join([HEADER, row(), long, row(b"c3"), row(b"c4", b'"' + b"open\n" * 4000), row(b"c5")])
    with pytest.raises(IncompleteLoad, match=r"starts in line 1005 has no end within .* quote in it is never closed"):
        load_csv(lake, tmp_path, data)
    assert {crash["crash_id"] for crash in rows_of(lake, "crash")} == {"c1", "c3"}
    (kept,) = quarantined(lake)
    assert (kept["line"], kept["reason"], kept["raw"]) == (3, "too_long:line", HEADER + b"\n" + long)


def test_a_truncated_gzip_keeps_its_whole_rows_and_reports_the_rest(lake, tmp_path):
    seed = random.Random(1)
    rows = [row(b"%d" % number, b'"%x\n",' % seed.getrandbits(200)) for number in range(5000)]
    packed = gzip.compress(b"\n".join([HEADER, *rows]))
    with pytest.raises(IncompleteLoad, match=r"cannot be read to its end: .*truncated") as raised:
        load_csv(lake, tmp_path, packed[: len(packed) // 2], "crash.csv.gz")
    report = raised.value.report
    assert 1000 < report.accepted == report.read < 5000
    assert {crash["crash_id"] for crash in rows_of(lake, "crash")} == {f"{number}" for number in range(report.read)}


def test_a_batch_is_the_same_however_the_blocks_fall(monkeypatch):
    monkeypatch.setattr(csv_rows, "BATCH_BYTES", 200)
    rows = [row(b"%d" % number, b'"two\nlines",') for number in range(20)]
    data = codecs.BOM_UTF8 + b"\n".join([HEADER, *rows]) + b"\n"
    cuts = [[data], [data[i : i + 1] for i in range(len(data))], [data[:301], b"", data[301:]]]

    def named(blocks: list[bytes], kind: Kind = Kind.CRASH) -> list[tuple[str, int, bytes]]:
        found = csv_rows.batches(blocks, "crash.csv", named=kind)
        return [(batch.batch_id, batch.first_line, bytes(batch.data)) for batch in found]

    found = [named(blocks) for blocks in cuts]
    assert found[0] == found[1] == found[2]
    assert codecs.BOM_UTF8 + b"".join(part for _, _, part in found[0]) == data
    grown = [batch_id for batch_id, _, _ in named([data + b"\n".join(rows)])]
    whole = [batch_id for batch_id, _, _ in found[0][:-1]]
    assert len(whole) > 3
    assert grown[: len(whole)] == whole
    assert not set(whole) & {batch_id for batch_id, _, _ in named([data], Kind.HOST)}


@pytest.mark.slow
def test_cutting_a_file_into_batches_changes_no_answer(tmp_path, monkeypatch):
    rows = [row(b"c%d" % (number % 7), b'"a\n%d",' % number) for number in range(24)]
    rows[5:5] = [row(b"bad", b'"open,')]
    data = b"\n".join([HEADER, *rows])
    found = []
    for number, (batch_bytes, put_aside_bytes) in enumerate([(1 << 20, 1 << 20), (100, 1 << 20), (1 << 20, 900)]):
        monkeypatch.setattr(csv_rows, "BATCH_BYTES", batch_bytes)
        monkeypatch.setattr(csv_rows, "PUT_ASIDE_BYTES", put_aside_bytes)
        lake = Lake.create(tmp_path / str(number))
        reports = [load_csv(lake, tmp_path, data) for _ in range(2)]
        assert [(report.read, report.accepted) for report in reports] == [(25, 7), (25, 0)]
        kept = [(each["line"], each["reason"], each["raw"]) for each in quarantined(lake)]
        found.append((answers(lake), kept, [report.reasons for report in reports]))
        assert (len(rows_of(lake, "batch")) > 3) == (number > 0)
    assert found[0] == found[1] == found[2]
