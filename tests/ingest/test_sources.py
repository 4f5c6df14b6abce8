"""Finding and opening what is to be loaded, and what is said of what cannot be."""

from __future__ import annotations

import codecs
import errno
import gzip
import hashlib
import io
import json
import os
import re
import subprocess
import sys
from datetime import datetime
from functools import partial
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import write_deltalake

from fleetcrash.errors import BadArgument, UnreadableSource
from fleetcrash.store import Lake
from ingest import ndjson
from ingest.formats.format import HEAD_BYTES
from ingest.load import load
from ingest.report import IncompleteLoad, Progress
from tests.ingest.conftest import NOW, line, quarantined, rows_of, write


def test_bad_use_says_what_was_found_and_what_is_wanted(lake, tmp_path):
    empty, others = tmp_path / "empty", tmp_path / "others"
    empty.mkdir()
    (others / "deeper").mkdir(parents=True)
    (others / "notes.txt").touch()
    (others / "truth.json").write_text("{}")
    missing, unknown = tmp_path / "missing.ndjson", write(tmp_path / "crash.xml", [b"<crash/>"])
    nameless = write(tmp_path / "nothing", [])
    good = write(tmp_path / "good.ndjson", [line("crash")])
    with pytest.raises(IncompleteLoad) as raised:
        load(lake, [missing, good, empty, unknown, others, nameless], now=NOW)
    problems = raised.value.problems
    assert "does not exist" in problems[0]
    assert "no file" in problems[1]
    assert "ends in .xml" in problems[2]
    assert f"1 files of no known format, among them {others / 'notes.txt'}" in problems[3]
    assert "has no suffix" in problems[4]
    assert all(".ndjson" in problem and ".parquet" in problem for problem in problems)
    assert isinstance(raised.value, UnreadableSource)
    assert (raised.value.report.accepted, raised.value.report.sources) == (1, (str(good),))


def test_of_a_folder_with_parts_that_cannot_be_read_all_else_is_loaded_and_each_is_named(lake, tmp_path, monkeypatch):
    folder, closed, hidden = tmp_path / "in", tmp_path / "in" / "closed", tmp_path / "in" / "hidden"
    for each in (folder, closed, hidden):
        each.mkdir()
        write(each / "x.ndjson", [line("crash", crash_id=each.name)])
    look, about = os.scandir, Path.stat

    def scandir(path):
        if Path(path) == closed:
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return look(path)

    def stat(path, **how):
        if path.parent in (closed, hidden):
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return about(path, **how)

    monkeypatch.setattr(os, "scandir", scandir)
    monkeypatch.setattr(Path, "stat", stat)
    with pytest.raises(IncompleteLoad) as raised:
        load(lake, [folder], now=NOW)
    said = "cannot be read: Permission denied. Nothing of it was loaded."
    assert raised.value.problems == (f"{closed} {said}", f"{hidden / 'x.ndjson'} {said}")
    assert raised.value.report.sources == (str(folder / "x.ndjson"),)
    with pytest.raises(IncompleteLoad, match=f"^{closed} {said}") as raised:
        load(lake, [closed], now=NOW)


def test_an_empty_path_is_not_the_folder_that_one_is_in(lake, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "here.ndjson", [line("crash")])
    with pytest.raises(IncompleteLoad, match="A path to load is empty") as raised:
        load(lake, [""], now=NOW)
    assert (raised.value.report.read, raised.value.report.sources) == (0, ())


def test_a_time_without_an_offset_is_bad_use(lake):
    with pytest.raises(BadArgument, match="no offset"):
        load(lake, [], now=datetime(2024, 7, 20))  # noqa: DTZ001 - the point


def test_a_folder_is_read_by_name_with_every_known_suffix(lake, tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    write(folder / "b.ndjson", [line("crash", crash_id="b")])
    write(folder / "a.JSONL", [line("crash", crash_id="a")])
    write(folder / "c.json", [line("crash", crash_id="c")])
    (folder / "d.ndjson.gz").write_bytes(
        gzip.compress(line("crash", crash_id="d") + b"\n") + gzip.compress(line("crash", crash_id="e"))
    )
    with pa.CompressedOutputStream(pa.OSFile(str(folder / "f.json.zst"), "wb"), "zstd") as stream:
        stream.write(line("crash", crash_id="f") + b"\n")
    (folder / "truth.json").write_text(json.dumps({"guilty": "u1"}))
    (folder / ".hidden.json").write_text("{}")
    seen: list[Progress] = []
    report = load(lake, [folder], now=NOW, progress=seen.append)
    assert [source.rpartition("/")[2] for source in report.sources] == [
        "a.JSONL", "b.ndjson", "c.json", "d.ndjson.gz", "f.json.zst",
    ]  # fmt: skip
    assert (report.read, report.accepted, report.quarantined) == (6, 6, 0)
    assert (seen[-1].sources_done, seen[-1].bytes_done) == (5, seen[-1].bytes_total)
    assert seen[-1].read == 6


def test_what_lies_beside_a_delta_table_is_loaded_and_what_lies_in_a_lake_is_not(lake, tmp_path):
    folder = tmp_path / "in"
    another = Lake.create(folder / "old" / "lake")
    write(another.root / "kept.ndjson", [line("crash", crash_id="in a lake")])
    write_deltalake(folder / "sales", pa.table({"amount": [1]}))
    write(folder / "crashes.ndjson", [line("crash", crash_id="beside")])
    (folder / "today").mkdir()
    write(folder / "today" / "crashes.ndjson", [line("crash", crash_id="below")])
    report = load(lake, [folder], now=NOW)
    assert {row["crash_id"] for row in rows_of(lake, "crash")} == {"beside", "below"}
    assert (report.read, report.left_out) == (2, (str(folder / "sales"),))
    with pytest.raises(IncompleteLoad, match="holds nothing to load: no file"):
        load(lake, [another.root], now=NOW)
    with pytest.raises(IncompleteLoad, match=r"is a Delta table, .* Write its rows to Parquet or NDJSON") as stopped:
        load(lake, [folder / "sales"], now=NOW)
    assert stopped.value.report.read == 0, "its log is no record"


def test_a_name_that_is_no_utf8_is_spelled_out_and_its_file_read_like_any_other(lake, tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()

    def named(suffix: bytes) -> str:
        return os.fsdecode(os.fsencode(folder) + b"/crash-caf\xe9" + suffix)

    try:
        write(Path(named(b".ndjson")), [line("crash", crash_id="1"), b"{"])
    except OSError:
        pytest.skip("this file system has no such names")
    Path(named(b".json.gz")).write_bytes(gzip.compress(line("crash", crash_id="2")))
    with pa.CompressedOutputStream(pa.OSFile(os.fsencode(named(b".jsonl.zst")), "wb"), "zstd") as stream:
        stream.write(line("crash", crash_id="3"))
    Path(named(b".csv")).write_text("crash_id,host_id,occurred_at,os_type\n4,h1,2024-07-19T04:09:00Z,linux\n")
    row = {"crash_id": ["5"], "host_id": ["h1"], "occurred_at": ["2024-07-19T04:09:00Z"], "os_type": ["linux"]}
    pq.write_table(pa.table(row), pa.OSFile(os.fsencode(named(b".parquet")), "wb"))
    write(folder / "z.ndjson", [line("crash", crash_id="6")])
    with pytest.raises(IncompleteLoad, match=r"gone\\xe9\.csv does not exist") as raised:
        load(lake, [folder, os.fsdecode(b"gone\xe9.csv")], now=NOW)
    report = raised.value.report
    assert (report.read, report.accepted, report.quarantined) == (7, 6, 1)
    assert {row["crash_id"] for row in rows_of(lake, "crash")} == set("123456")
    assert str(folder / "crash-caf\\xe9.ndjson") in report.sources
    assert [row["source"] for row in quarantined(lake)] == [str(folder / "crash-caf\\xe9.ndjson")]


def test_stdin_is_ndjson(lake, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(line("crash") + b"\n" + line("host"))))
    report = load(lake, ["-"], now=NOW)
    assert (report.sources, report.read, report.accepted) == (("-",), 2, 2)


@pytest.mark.parametrize("pack", [gzip.compress, partial(pa.compress, codec="zstd", asbytes=True)])
def test_a_packed_stdin_is_the_same_batch_as_its_content(lake, tmp_path, monkeypatch, pack):
    lines = [line("crash"), b"{"]
    plain = write(tmp_path / "plain.ndjson", lines)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(pack(plain.read_bytes()))))
    report = load(lake, [plain, "-"], now=NOW)
    assert (report.read, report.accepted, report.quarantined) == (4, 1, 2)
    assert len(rows_of(lake, "batch")) == len(rows_of(lake, "quarantine")) == 1


def test_a_truncated_gzip_on_stdin_keeps_its_whole_lines_and_reports_the_rest(lake, monkeypatch):
    packed = gzip.compress(line("crash", crash_id="a") + b"\n") + gzip.compress(line("crash", crash_id="b"))[:-9]
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(packed)))
    with pytest.raises(IncompleteLoad, match=r"^- cannot be read to its end: it is truncated") as raised:
        load(lake, ["-"], now=NOW)
    assert [row["crash_id"] for row in rows_of(lake, "crash")] == ["a"]
    assert raised.value.report.accepted == 1


def test_a_byte_order_mark_is_no_part_of_the_first_record(load_lines):
    assert load_lines(codecs.BOM_UTF8 + line("crash")).accepted == 1


def test_a_compressed_file_is_the_same_batch_as_its_content(lake, tmp_path):
    lines = [line("crash"), b"{"]
    plain = write(tmp_path / "plain.ndjson", lines)
    packed = tmp_path / "packed.ndjson.gz"
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    load(lake, [plain, packed], now=NOW)
    assert len(rows_of(lake, "batch")) == len(rows_of(lake, "quarantine")) == 1


@pytest.mark.parametrize("crashes", [2, 2000])
@pytest.mark.parametrize("damage", [b"no frame", "cut"])
def test_a_damaged_zstd_keeps_its_whole_lines_as_a_gzip_does(lake, tmp_path, crashes, damage):
    frame = pa.compress(b"".join(line("crash", crash_id=str(n)) + b"\n" for n in range(crashes)), "zstd", asbytes=True)
    packed = tmp_path / "cut.ndjson.zst"
    packed.write_bytes(frame + (damage if isinstance(damage, bytes) else frame[:-9]))
    with pytest.raises(
        IncompleteLoad, match=r"cut\.ndjson\.zst cannot be read to its end: .*The whole lines"
    ) as raised:
        load(lake, [packed], now=NOW)
    assert raised.value.report.accepted == crashes


@pytest.mark.parametrize("suffix", [".gz", ".zst"])
def test_a_packed_file_without_a_byte_is_no_empty_one(lake, tmp_path, suffix):
    with pytest.raises(IncompleteLoad, match=r"cannot be read: it is truncated\. Nothing of it was loaded"):
        load(lake, [write(tmp_path / f"x.ndjson{suffix}", [])], now=NOW)


def test_a_truncated_gzip_keeps_its_whole_lines_and_reports_the_rest(lake, tmp_path):
    lines = [line("crash", crash_id=f"{n:x}", code=hex(n**9)) for n in range(5000)]
    packed = gzip.compress(b"\n".join(lines))
    path = tmp_path / "cut.ndjson.gz"
    path.write_bytes(packed[: len(packed) // 2])
    with pytest.raises(IncompleteLoad, match=r"cut\.ndjson\.gz cannot be read to its end: .*truncated") as raised:
        load(lake, [path], now=NOW)
    report = raised.value.report
    assert 1000 < report.accepted == report.read < 5000
    assert {row["crash_id"] for row in rows_of(lake, "crash")} == {f"{n:x}" for n in range(report.read)}
    not_gzip = write(tmp_path / "no.json.gz", [line("crash")])
    with pytest.raises(IncompleteLoad, match="cannot be read"):
        load(lake, [not_gzip], now=NOW)


def test_hostile_lines_are_put_aside_and_hurt_no_other(load_lines, lake, monkeypatch):
    monkeypatch.setattr(ndjson, "LONGEST_LINE_BYTES", 2 << 20)
    deep = b"[" * 10_000 + b"]" * 10_000
    lines = [
        line("crash", crash_id="1 MB", tags={"log": "x" * 1_000_000}),
        line("crash", tags={"log": "x" * (2 << 20)}),
        line("crash")[:-1] + b', "code": "\0"}',
        line("crash").replace(b"0x50", b"\xff\xfe"),
        b"\xff" * 10,
        deep,
        b'{"record": "crash", "x": ' + deep + b"}",
        line("crash", crash_id="shallow", x=json.loads("[" * 60 + "]" * 60), y="[" * 500),
        b'{"a":' * 10_000 + b"1" + b"}" * 10_000,
        line("crash", crash_id="far", occurred_at="9999-12-31T00:00:00Z"),
        line("crash", crash_id="huge", uptime_s=10**400),
        line("crash", crash_id="\ud800"),
        b"",
        b" \t\r",
        line("crash", crash_id="\r") + b"\r",
        line("crash") + line("crash"),
        codecs.BOM_UTF8 + line("crash"),
    ]
    report = load_lines(*lines)
    assert report.read == len(lines) - 2
    assert sorted(row["crash_id"] for row in rows_of(lake, "crash")) == ["\r", "1 MB", "shallow"]
    found = quarantined(lake)
    assert [(row["line"], row["reason"]) for row in found] == [
        (2, "too_long:line"),
        *((number, "not_json") for number in (3, 4, 5, 6, 7, 9)),
        (10, "future_time:occurred_at"),
        (11, "bad_value:uptime_s"),
        *((number, "not_json") for number in (12, 16, 17)),
    ]
    assert [row["raw"] for row in found] == [lines[row["line"] - 1] for row in found]


def test_a_line_without_end_stops_its_source_and_keeps_the_lines_before(lake, tmp_path, monkeypatch):
    monkeypatch.setattr(ndjson, "BATCH_BYTES", 1000)
    monkeypatch.setattr(ndjson, "LONGEST_HELD_BYTES", 5000)
    path = write(tmp_path / "endless.ndjson", [line("crash"), line("host"), b"x" * 20_000, line("install")])
    with pytest.raises(IncompleteLoad, match="line 3 is longer"):
        load(lake, [path], now=NOW)
    assert len(rows_of(lake, "crash")) == len(rows_of(lake, "host")) == 1


def test_a_batch_is_the_same_however_the_blocks_fall(monkeypatch):
    monkeypatch.setattr(ndjson, "BATCH_BYTES", 700)
    data = b"".join(line("crash", crash_id=str(n)) + b"\n" for n in range(20))
    cuts = [[data], [data[i : i + 1] for i in range(len(data))], [data[:701], b"", data[701:]]]
    named = [[(batch.batch_id, batch.first_line, batch.data) for batch in ndjson.batches(cut, "-")] for cut in cuts]
    assert named[0] == named[1] == named[2]
    assert b"".join(found for _, _, found in named[0]) == data
    grown = [batch.batch_id for batch in ndjson.batches([data + data], "-")]
    assert grown[: len(named[0]) - 1] == [batch_id for batch_id, _, _ in named[0][:-1]]


@pytest.mark.parametrize("block", [1, 7, 64, 5000])
def test_a_batch_is_named_by_all_bytes_up_to_its_end(monkeypatch, block):
    monkeypatch.setattr(ndjson, "BATCH_BYTES", 100)
    data = b"\n".join([b"a" * size for size in (10, 40, 260, 3, 3, 900, 90, 0, 20, 99, 120)])
    found = list(ndjson.batches([data[start : start + block] for start in range(0, len(data), block)], "-"))
    assert len(found) > 4
    end = 0
    for batch in found:
        end += len(batch.data)
        assert batch.batch_id == hashlib.sha256(b"ndjson\n" + data[:end]).hexdigest()
    assert end == len(data) + 1  # the newline that the last line lacks


def test_batches_grow_to_their_full_size(monkeypatch):
    monkeypatch.setattr(ndjson, "BATCH_BYTES", 800)
    lines = ndjson.batches([b"a line..\n" * 400], "-")
    sizes = [len(batch.data) for batch in lines]
    assert sizes == [9 * 22, 9 * 44, 9 * 89, 9 * 89, 9 * 89, 9 * 67]


@pytest.mark.parametrize("suffix", [".gz", ".zst"])
def test_what_is_not_packed_as_its_name_says_is_said_to_be_so(lake, tmp_path, suffix):
    path = tmp_path / f"in.ndjson{suffix}"
    path.write_bytes(line("crash"))
    said = f"cannot be read: its content is not packed as {suffix} is; give it the suffix of what it is. Nothing of it"
    with pytest.raises(IncompleteLoad, match=re.escape(said)):
        load(lake, [path], now=NOW)


_LOAD = """
import sys
from datetime import datetime, UTC
from fleetcrash.store import Lake
from ingest.formats.format import HEAD_BYTES
from ingest.load import load
report = load(Lake.create(sys.argv[1]), [sys.argv[2]], now=datetime(2024, 7, 20, tzinfo=UTC))
print(report.accepted, report.quarantined, "pandas" in sys.modules)
"""


@pytest.mark.parametrize(
    ("name", "lines"),
    [
        ("records.ndjson", [line("crash"), line("crash", crash_id="c2", os_type="beos"), b"{", b'{"record":"\xff"}']),
        (
            "crash.csv",
            [b"crash_id,host_id,occurred_at,os_type", b"c1,h1,2024-07-19T04:09:00Z,linux", b",,,", b"1", b"2,2"],
        ),
    ],
)
def test_a_load_does_not_wait_for_pandas_which_takes_longer_than_a_small_load(tmp_path, name, lines):
    command = [sys.executable, "-c", _LOAD, str(tmp_path / "lake"), str(write(tmp_path / name, lines))]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == "1 3 False\n"


@pytest.mark.parametrize("zeros", [HEAD_BYTES, 3 << 20])
def test_a_log_that_was_emptied_while_it_was_written_begins_behind_its_zero_bytes(lake, tmp_path, zeros):
    said = b"Jul 19 06:10:02 web-7 kernel: relay[812]: segfault at 8 ip 55d0 sp 7ffe error 4 in relay[55d0+10]\n"
    path = tmp_path / "kern.log"
    path.write_bytes(b"\0" * zeros + said)
    assert load(lake, [path], now=NOW).accepted == 1
