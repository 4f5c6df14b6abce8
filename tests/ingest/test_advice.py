"""What a load says to do about what it put aside, and that it says so only of what it helps."""

from __future__ import annotations

import bz2
import codecs
import gzip
import io
import json
import lzma
import struct
import sys

import pyarrow as pa
import pytest

from ingest.advice import Misread, Unread, misread_as
from ingest.load import dry_run, load
from ingest.report import IncompleteLoad
from ingest.sources import Hosts
from tests.ingest.collector.doors.test_minidump import dump
from tests.ingest.conftest import NOW, SOUND, line, write

RECORD = {"record": "crash", **SOUND["crash"]}
NAMELESS = {key: value for key, value in RECORD.items() if key != "host_id"}


@pytest.mark.parametrize("indent", [None, 2])
def test_an_array_is_said_to_be_one_and_counted_as_before(lake, tmp_path, indent):
    text = json.dumps([RECORD, RECORD], indent=indent)
    path = write(tmp_path / "in.json", [text.encode()])
    report = load(lake, [path], now=NOW)
    lines = len(text.splitlines())
    assert (report.read, report.accepted, report.quarantined) == (lines, 0, lines)
    assert report.advice == (f"{path} {Misread.ARRAY.value}, and load that.",)
    assert "advice" not in report.as_json()


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_utf_16_is_said_to_be_so_and_of_several_files_the_first_is_named(lake, tmp_path, encoding):
    data = ("\ufeff" + json.dumps(RECORD) + "\r\n").encode(encoding)
    for name in ("a.ndjson", "b.ndjson"):
        (tmp_path / name).write_bytes(data)
    report = dry_run(lake, [tmp_path], now=NOW)
    assert (report.accepted, report.reasons) == (0, {"not_json": report.quarantined})
    assert report.advice == (f"{tmp_path / 'a.ndjson'} (and 1 more) {Misread.UTF_16.value}, and load that.",)


def test_stdin_is_looked_at_as_well(lake, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b" [" + line("crash") + b"]")))
    assert load(lake, ["-"], now=NOW).advice == (f"- {Misread.ARRAY.value}, and load that.",)


@pytest.mark.parametrize(
    ("begins", "what"),
    [
        (gzip.compress(b"{}"), Misread.GZIP),
        (pa.compress(b"{}", codec="zstd", asbytes=True), Misread.ZSTD),
        (b"PAR1", Misread.PARQUET),
        (codecs.BOM_UTF32_LE + b"{\0\0\0", Misread.UTF_32),
        (codecs.BOM_UTF32_BE + b"\0\0\0{", Misread.UTF_32),
        (b'\xef\xbb\xbfcrash_id,"host_id"\r\nc1,h1', Misread.CSV),
        (b"host_id,update_id,applied_at\n", Misread.CSV),
        (b'{\r\n  "time": 1\r\n}', Misread.OBJECT),
        (b"{\n" + line("install"), None),
        (line("install"), None),
    ],
    ids=[
        "gzip",
        "zstd",
        "parquet",
        "utf-32-le",
        "utf-32-be",
        "csv with a mark",
        "csv",
        "an object",
        "a record behind a broken one",
        "a record",
    ],  # packed bytes tell when they were packed
)
def test_what_is_packed_or_in_columns_is_said_to_be_so(begins, what):
    assert misread_as(begins) is what


def test_sound_records_take_no_advice(load_lines):
    assert load_lines(codecs.BOM_UTF8 + line("crash"), line("host")).advice == ()
    assert load_lines(b"nonsense", line("session")).advice == ()


def test_host_is_advised_for_crash_files_alone(lake, tmp_path):
    (tmp_path / "a.dmp").write_bytes(dump())
    records = write(tmp_path / "in.ndjson", [json.dumps(NAMELESS).encode()])
    assert load(lake, [records], now=NOW).advice == ()
    report = load(lake, [tmp_path], now=NOW)
    assert report.reasons == {"missing_field:host_id": 2}
    (said,) = report.advice
    assert said == "1 crash names no host. Load crash files that do not with --host HOST_ID or --host-by-folder."
    assert load(lake, [tmp_path], now=NOW, hosts=Hosts(by_folder=True)).advice == ()


@pytest.mark.parametrize("name", ["in.ndjson", "crash.csv"])
def test_of_records_the_fields_are_named_that_may_be_the_host(lake, tmp_path, name):
    if name.endswith(".csv"):
        lines = [b"crash_id,Hostname,colour,os_type,occurred_at", b"c1,h1,red,linux,2024-07-19T04:09:00Z"]
    else:
        lines = [json.dumps({**NAMELESS, "Hostname": "h1", "colour": "red"}).encode()]
    (said,) = load(lake, [write(tmp_path / name, lines)], now=NOW).advice
    assert said == "1 record has no host_id. It may be what is called Hostname: rename it."


UNREAD = {
    "a.zip": (b"PK\3\4rest", Unread.ZIP),
    "a.tar": (b"a.dmp".ljust(257, b"\0") + b"ustar", Unread.TAR),
    "a.xz": (lzma.compress(b"a"), Unread.XZ),
    "a.bz2": (bz2.compress(b"a"), Unread.BZIP2),
    "core.lz4": (b"\x04\x22\x4d\x18rest", Unread.LZ4),
    "a.cab": (b"MSCF\0\0\0\0rest", Unread.CABINET),
    "a.7z": (b"7z\xbc\xaf\x27\x1crest", Unread.SEVEN_ZIP),
    "a.tgz": (gzip.compress(b"a"), Unread.GZIP),
    "core.zst-old": (pa.compress(b"a", codec="zstd", asbytes=True), Unread.ZSTD),
    "system.journal": (b"LPKSHHRH\0\0", Unread.JOURNAL),
    "vmcore": (b"KDUMP   \6\0", Unread.KERNEL),
    "vmcore.flat": (b"makedumpfile\0\0", Unread.KERNEL),
    "core.99": (struct.pack("<8I", 0xFEEDFACF, 0x0100000C, 0, 4, 9, 999, 0, 0), Unread.MAC_CORE),
    "core.98": (struct.pack("<8I", 0xFEEDFACF, 0x01000007, 3, 4, 9, 999, 0, 0), Unread.MAC_CORE),
    "0001.tracev3": (b"\0\x10\0\0\x11\0\0\0rest", Unread.MAC_LOG),
}


@pytest.mark.parametrize("name", UNREAD)
def test_a_file_that_is_known_but_not_read_is_refused_with_what_to_load_instead(lake, tmp_path, monkeypatch, name):
    data, what = UNREAD[name]
    path = tmp_path / name
    path.write_bytes(data)
    with pytest.raises(IncompleteLoad) as raised:
        load(lake, [path], now=NOW)
    assert raised.value.problems == (f"{path} {what.value}, and load that. Nothing of it was loaded.",)
    assert raised.value.report.advice == ()
    if what not in (Unread.GZIP, Unread.ZSTD):  # which stdin unpacks
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))
        with pytest.raises(IncompleteLoad, match="What is on stdin is"):
            load(lake, ["-"], now=NOW)


def test_of_a_folder_what_is_known_but_not_read_is_advised(lake, tmp_path):
    write(tmp_path / "a.ndjson", [line("crash")])
    for name in ("b.zip", "c.zip", "d.bin"):
        (tmp_path / name).write_bytes(b"PK\3\4" if name.endswith(".zip") else b"\1\2\3")
    report = load(lake, [tmp_path], now=NOW)
    assert len(report.left_out) == 3
    assert report.advice == (f"{tmp_path / 'b.zip'} (and 1 more) {Unread.ZIP.value}, and load that.",)
