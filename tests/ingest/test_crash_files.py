"""Crash files of systems and tools through the loader: found by content, put together, told apart in the quarantine."""

from __future__ import annotations

import codecs
import gzip
import io
import os
import random
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fleetcrash.store import Lake
from ingest import crash_files
from ingest.formats import minidump
from ingest.formats.crashes import Told
from ingest.formats.format import HEAD_BYTES
from ingest.load import dry_run, load
from ingest.report import IncompleteLoad, LoadReport
from ingest.sources import Hosts, find
from tests.ingest.collector.doors.test_minidump import STAMP, dump, kernel_dump, small_kernel_dump
from tests.ingest.conftest import NOW, line, quarantined, rows_of, write
from tests.ingest.formats.damage import changed
from tests.ingest.formats.made_up import EACH
from tests.ingest.formats.test_apple_report import report as apple_report
from tests.ingest.formats.test_event_text import ERROR, saved
from tests.ingest.formats.test_journal import COREDUMP, OTHER, entry
from tests.ingest.formats.test_sanitizer import ASAN, GO
from tests.ingest.formats.test_stackwalk import PRINTED
from tests.ingest.formats.test_tombstone import TOMBSTONE, threadtime
from tests.ingest.formats.test_wer import report as wer_report

LOGCAT = threadtime(TOMBSTONE, "DEBUG")


def make(path: Path, data: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def zstd(data: bytes) -> bytes:
    return pa.Codec("zstd").compress(data, asbytes=True)


def hosts_of(lake: Lake) -> set[str]:
    return {row["host_id"] for row in rows_of(lake, "crash")}


def test_a_format_is_told_by_content_whatever_the_file_is_called(lake, tmp_path):
    folder = tmp_path / "in"
    make(folder / "a", dump())
    make(folder / "b.json", entry(COREDUMP) + entry(OTHER))
    make(folder / "c.log.gz", gzip.compress(entry({**COREDUMP, "COREDUMP_PID": "8"})))
    write(folder / "d.ndjson", [line("crash")])
    make(folder / "notes.txt", b"nothing to see")
    report = load(lake, [folder], now=NOW, hosts=Hosts("h9"))
    assert (report.read, report.accepted) == (4, 4)
    assert [Path(name).name for name in report.sources] == ["d.ndjson", "a", "b.json", "c.log.gz"]
    assert [Path(name).name for name in report.left_out] == ["notes.txt"]
    assert hosts_of(lake) == {"h9", "m1", "h1"}
    assert {dict(row["tags"]).get("file") for row in rows_of(lake, "crash")} == {"a", "b.json", "c.log.gz", None}


def test_crash_files_that_lie_together_are_one_batch_and_told_apart_in_the_quarantine(lake, tmp_path):
    for number in range(20):
        make(tmp_path / "in" / f"{number:02}.dmp", dump(address=0x7FF600000000 + number))
    make(tmp_path / "in" / "30.export", entry(COREDUMP))
    make(tmp_path / "in" / "40.dmp", kernel_dump())
    report = load(lake, [tmp_path / "in"], now=NOW)
    assert (report.read, report.accepted, report.reasons) == (22, 1, {"missing_field:host_id": 21})
    (batch,) = rows_of(lake, "batch")
    assert batch["source"] == f"{tmp_path / 'in' / '00.dmp'} and 21 other crash files"
    names = [f"{number:02}.dmp" for number in range(20)] + ["40.dmp"]
    aside = quarantined(lake)
    assert sorted((row["source"], row["line"]) for row in aside) == [(str(tmp_path / "in" / n), 1) for n in names]
    assert all(f'"file":"{Path(row["source"]).name}"'.encode() in row["raw"] for row in aside)
    again = load(lake, [tmp_path / "in"], now=NOW)
    assert (again.read, again.duplicates, again.quarantined) == (22, 1, 21)
    assert len(quarantined(lake)) == 21


def test_files_of_records_between_crash_files_make_no_more_batches_of_these(lake, tmp_path):
    for number in range(4):
        make(tmp_path / "in" / f"{number}.dmp", dump(code=number))
        write(tmp_path / "in" / f"{number}.json", [line("host", host_id=f"h{number}")])
    report = load(lake, [tmp_path / "in"], now=NOW, hosts=Hosts("h1"))
    assert report.accepted == 8
    assert len(rows_of(lake, "batch")) == 5


def test_whose_crashes_they_are_is_said_for_files_that_do_not(lake, tmp_path):
    make(tmp_path / "in" / "pc-1" / "store" / "a.dmp", dump(code=1))
    make(tmp_path / "in" / "pc-2" / "a.dmp", dump(code=2))
    make(tmp_path / "in" / "a.dmp", dump(code=3))
    make(tmp_path / "in" / "pc-2" / "core.export", entry(COREDUMP))
    report = load(lake, [tmp_path / "in"], now=NOW, hosts=Hosts(by_folder=True))
    assert (report.accepted, report.reasons) == (3, {"missing_field:host_id": 1})
    assert hosts_of(lake) == {"pc-1", "pc-2", "m1"}
    assert load(lake, [tmp_path / "in" / "a.dmp"], now=NOW, hosts=Hosts("pc-3")).accepted == 1


def test_a_crash_that_tells_no_time_was_when_its_file_was_last_changed(lake, tmp_path):
    path = make(tmp_path / "a.dmp", dump().replace(STAMP.to_bytes(4, "little"), bytes(4)))
    changed = datetime(2024, 7, 19, 4, 9, tzinfo=UTC)
    os.utime(path, (changed.timestamp(), changed.timestamp()))
    load(lake, [path], now=NOW, hosts=Hosts("h1"))
    (row,) = rows_of(lake, "crash")
    assert (row["occurred_at"], row["time_quality"], row["known_at"]) == (changed, "log", changed)


def test_damaged_files_say_so_and_the_others_are_loaded(lake, tmp_path):
    make(tmp_path / "in" / "1.dmp", b"MDMP cut")
    make(tmp_path / "in" / "2.export", entry(COREDUMP) + entry(OTHER)[:-3])
    others = b"".join(entry({**OTHER, "MESSAGE": f"{number**40:x}"}) for number in range(200))
    make(tmp_path / "in" / "3.gz", gzip.compress(entry({**COREDUMP, "COREDUMP_PID": "9"}) + others)[:-4000])
    make(tmp_path / "in" / "4.dmp", dump())
    with pytest.raises(IncompleteLoad) as raised:
        load(lake, [tmp_path / "in"], now=NOW, hosts=Hosts("h9"))
    problems = raised.value.problems
    assert len(problems) == 3
    assert problems[0].endswith("1.dmp (minidump) cannot be read to its end: It ends within its header. "
                                "Nothing of it was loaded.")  # fmt: skip
    for problem, said in zip(problems[1:], ("ends within an entry", "truncated"), strict=True):
        assert said in problem
        assert "before the damage are loaded" in problem
    assert raised.value.report.accepted == 3
    assert len(raised.value.report.sources) == 4


def test_a_dump_or_a_report_that_breaks_off_is_loaded_as_far_as_it_goes_and_says_so(lake, tmp_path):
    whole = {"a.dmp": dump(), "b.dmp": small_kernel_dump(), "c.ips": apple_report()}
    cut = {"a.dmp": 400, "b.dmp": 0xC00, "c.ips": 900}
    for name, data in whole.items():
        make(tmp_path / "whole" / name, data)
        make(tmp_path / "cut" / name, data[: -cut[name]])
    assert load(lake, [tmp_path / "whole"], now=NOW, hosts=Hosts("h8")).accepted == 3
    with pytest.raises(IncompleteLoad) as raised:
        load(lake, [tmp_path / "cut"], now=NOW, hosts=Hosts("h9"))
    problems = " ".join(raised.value.problems)
    for name in ("a.dmp (minidump)", "b.dmp (minidump)"):
        assert f"{name} cannot be read to its end: It ends within what tells of the crash. The crashes" in problems
    assert "c.ips (Apple's crash report) cannot be read to its end: A report in it breaks off. The crashes" in problems
    assert raised.value.report.read == 3


def test_a_dump_that_is_longer_than_what_is_read_of_it_is_not_damaged(monkeypatch):
    data = bytearray(dump())
    data[32 + 2 * 12 + 8 : 32 + 2 * 12 + 12] = (len(data) + 100).to_bytes(4, "little")  # where its modules are
    assert minidump.MINIDUMP.read(bytes(data), Told(NOW)).damage is not None
    monkeypatch.setattr(minidump, "_MOST_BYTES", len(data))
    records = minidump.MINIDUMP.read(bytes(data), Told(NOW))
    assert (records.read, records.damage) == (1, None)


@pytest.mark.parametrize(("suffix", "pack"), [(".gz", gzip.compress), (".zst", zstd)])
def test_a_report_before_the_damage_of_a_log_is_a_crash(lake, tmp_path, suffix, pack):
    noise = random.Random(1).randbytes(300_000).hex().encode()
    lines = b"".join(noise[at : at + 60] + b"\n" for at in range(0, len(noise), 60))
    for name, said in {"a": ASAN.encode(), "b": TOMBSTONE.encode(), "c": entry(COREDUMP)}.items():
        make(tmp_path / "in" / f"{name}.log{suffix}", pack(said + b"\n" + lines)[:200_000])
    with pytest.raises(IncompleteLoad) as raised:
        load(lake, [tmp_path / "in"], now=NOW, hosts=Hosts("h9"))
    assert raised.value.report.accepted == 3
    assert len(raised.value.problems) == 3
    assert all("cannot be read to its end" in problem for problem in raised.value.problems)


def test_files_are_not_open_until_they_are_read(tmp_path):
    for number in range(50):
        make(tmp_path / f"{number}.dmp", dump(code=number) + bytes(2 * HEAD_BYTES))
    opened = len(os.listdir("/proc/self/fd"))
    found = find([tmp_path], now=NOW, hosts=Hosts())
    assert len(found.sources[0].names) == 50
    assert len(os.listdir("/proc/self/fd")) == opened


def test_a_time_that_has_not_come_is_no_files(lake, tmp_path):
    path = make(tmp_path / "a.dmp", dump().replace(STAMP.to_bytes(4, "little"), bytes(4)))
    os.utime(path, (1 << 40, 1 << 40))
    assert load(lake, [path], now=NOW, hosts=Hosts("h1")).accepted == 1
    (row,) = rows_of(lake, "crash")
    assert row["occurred_at"] == NOW


@pytest.mark.parametrize("pack", [bytes, gzip.compress, zstd])
def test_stdin_may_be_a_journal(lake, monkeypatch, pack):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(pack(entry(OTHER) + entry(COREDUMP)))))
    report = load(lake, ["-"], now=NOW)
    assert (report.sources, report.read, report.accepted) == (("-",), 1, 1)


def test_a_lake_within_a_folder_is_none_of_its_files(lake, tmp_path):
    make(tmp_path / "deep" / "er" / "a.dmp", dump())
    write(tmp_path / "deep" / "er" / "b.ndjson", [line("crash")])
    inner = Lake.create(tmp_path / "deep" / "lake")
    load(inner, [tmp_path / "deep" / "er"], now=NOW, hosts=Hosts("h1"))
    (tmp_path / "deep" / "back").symlink_to(tmp_path)
    (tmp_path / "deep" / ".hidden").mkdir()
    make(tmp_path / "deep" / ".hidden" / "a.dmp", dump(code=7))
    report = load(lake, [tmp_path / "deep"], now=NOW, hosts=Hosts("h1"))
    assert (report.read, report.left_out) == (2, ())


@pytest.mark.slow
def test_many_crashes_are_several_batches_and_a_dry_run_changes_nothing(lake, tmp_path, monkeypatch):
    monkeypatch.setattr(crash_files, "_BATCH_BYTES", 1000)
    for number in range(30):
        make(tmp_path / "in" / f"{number}.dmp", dump(code=number))
    tried = dry_run(lake, [tmp_path / "in"], now=NOW, hosts=Hosts("h1"))
    assert rows_of(lake, "batch") == []
    done = load(lake, [tmp_path / "in"], now=NOW, hosts=Hosts("h1"))
    assert (tried.read, tried.accepted) == (done.read, done.accepted) == (30, 30)
    assert len(rows_of(lake, "batch")) > 3


def test_records_of_the_contract_are_no_crash_file_whatever_they_hold(lake, tmp_path):
    odd = line("crash", tags={"log": "MDMP __CURSOR=s=1\n"}).replace(b"{", b" \n{", 1)
    report = load(lake, [write(tmp_path / "a.json", [odd])], now=NOW)
    assert (report.read, report.accepted) == (1, 1)


def test_one_broken_record_does_not_make_a_file_another_format(lake, tmp_path):
    tags = {"event_id": "x", "platform": "native"}
    lines = [b'{"record": "crash", "event_id": "x", ', line("crash", tags=tags), line("host")]
    report = load(lake, [write(tmp_path / "a.json", lines)], now=NOW)
    assert (report.read, report.accepted, report.reasons) == (3, 2, {"not_json": 1})


@pytest.mark.parametrize("pack", ["", ".gz", ".zst"])
@pytest.mark.parametrize("data", [line("crash") + b"\n", entry(COREDUMP)], ids=["record", "journal"])
def test_a_pipe_is_read_once(lake, tmp_path, data, pack):
    pipe = tmp_path / f"records.json{pack}"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_bytes, args=(PACKERS[pack](data),))
    writer.start()
    report = load(lake, [pipe], now=NOW)
    writer.join()
    assert (report.read, report.accepted) == (1, 1)


def test_a_file_of_which_nothing_can_be_read_says_why(lake, tmp_path):
    make(tmp_path / "in" / "a.gz", gzip.compress(b"x")[:5])
    make(tmp_path / "in" / "b.dmp", dump())
    with pytest.raises(IncompleteLoad, match=r"a\.gz cannot be read: it is truncated\. Nothing of it"):
        load(lake, [tmp_path / "in"], now=NOW, hosts=Hosts("h1"))
    with pytest.raises(IncompleteLoad, match=r"a\.gz cannot be read: it is truncated\. Nothing of it"):
        load(lake, [tmp_path / "in" / "a.gz"], now=NOW)


# -- whatever way the same files come, they are the same crashes


def told_of(lake: Lake, *, but: Sequence[str] = ()) -> dict[str, dict[str, Any]]:
    """The crashes of a lake by their names, without what tells how they came."""
    found = {}
    for row in rows_of(lake, "crash"):
        row["tags"] = sorted((name, said) for name, said in row["tags"] or () if name != "file")
        found[row["crash_id"]] = {name: value for name, value in row.items() if name not in (*NOT_OF_A_CRASH, *but)}
    return found


NOT_OF_A_CRASH = ("batch_id", "line", "known_at")
ALL = {f"{at:02}": data for at, (_, _, data) in enumerate(EACH)}
LATER = datetime(2026, 12, 1, tzinfo=UTC)
CHANGED_AT = (LATER - timedelta(hours=1)).timestamp()
PACKERS: dict[str, Callable[[bytes], bytes]] = {"": bytes, ".gz": gzip.compress, ".zst": zstd}


def put(folder: Path, files: Mapping[str, bytes], pack: str = "") -> Path:
    for name, data in files.items():
        path = make(folder / f"{name}{pack}", PACKERS[pack](data))
        os.utime(path, (CHANGED_AT, CHANGED_AT))
    return folder


def load_whole(lake: Lake, *paths: str | Path) -> LoadReport:
    report = load(lake, paths, now=LATER, hosts=Hosts("h-told"))
    assert report.read == report.accepted + report.duplicates + report.quarantined
    return report


@pytest.fixture(scope="module")
def all_at_once(tmp_path_factory) -> tuple[LoadReport, dict[str, dict[str, Any]]]:
    folder = tmp_path_factory.mktemp("all")
    lake = Lake.create(folder / "lake")
    return load_whole(lake, put(folder / "in", ALL)), told_of(lake)


def test_of_every_format_something_is_read_and_nothing_counted_twice(lake, tmp_path, all_at_once):
    report, crashes = all_at_once
    assert (report.reasons, report.left_out) == ({}, ())
    assert len(crashes) == report.accepted
    put(tmp_path / "in", ALL)
    first = load_whole(lake, tmp_path / "in")
    again = load_whole(lake, tmp_path / "in")
    assert (again.read, again.accepted) == (first.read, 0)
    assert told_of(lake) == crashes


@pytest.mark.variants
@pytest.mark.parametrize("mark", [b"> ", b">>", b"    ", b">  \t"])
def test_a_text_that_somebody_quotes_has_the_same_crashes(lake, tmp_path, all_at_once, mark):
    quoted = {
        name: re.sub(rb"^(?!\Z)", mark, data, flags=re.MULTILINE) for name, data in ALL.items() if b"\0" not in data
    }
    report = load_whole(lake, put(tmp_path / "in", quoted))
    assert (report.reasons, report.left_out) == ({}, ())
    crashes = told_of(lake)
    assert crashes == {name: all_at_once[1].get(name) for name in crashes}


def test_a_mail_that_quotes_a_text_has_the_same_crashes(lake, tmp_path, all_at_once):
    starts = (b"{", b"[", b"<")  # of what is a document of another kind where prose is before it
    texts = {name: data for name, data in ALL.items() if b"\0" not in data and not data.lstrip().startswith(starts)}
    mails = {
        name: b"Rita wrote:\n" + re.sub(rb"^(?!\Z)", b"> ", data, flags=re.MULTILINE) + b"\n\nThanks, seen here.\n"
        for name, data in texts.items()
        # In few lines nobody knows what they are; an event log, which is XML, tells of the crash of a report.
        if data.count(b"\n") > 9 and b"EventType=" not in data
    }
    load_whole(lake, put(tmp_path / "in", mails))
    crashes = told_of(lake)
    assert crashes == {name: all_at_once[1].get(name) for name in crashes}
    assert len(crashes) > len(mails) * 3 // 4


def test_json_behind_the_command_that_printed_it_has_the_same_crashes(lake, tmp_path, all_at_once):
    documents = {f"{name}.json": data for name, data in ALL.items() if re.match(rb'\[?\s*\{\s*"', data)}
    typed = {name: b"$ docker inspect relay-1 | tee crash.json\n\n" + data for name, data in documents.items()}
    report = load_whole(lake, put(tmp_path / "in", typed))
    assert report.reasons == {}
    crashes = told_of(lake)
    assert crashes == {name: all_at_once[1].get(name) for name in crashes}
    assert len(crashes) > len(documents) // 2


@pytest.mark.variants
@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_a_text_that_was_encoded_anew_has_the_same_crashes(lake, tmp_path, all_at_once, encoding):
    mark = codecs.BOM_UTF16_BE if encoding == "utf-16-be" else b""
    texts = {name: data.decode() for name, data in ALL.items() if b"\0" not in data}
    report = load_whole(
        lake, put(tmp_path / "in", {name: mark + said.encode(encoding) for name, said in texts.items()})
    )
    assert (report.reasons, report.left_out) == ({}, ())
    crashes = told_of(lake)
    assert crashes == {name: all_at_once[1].get(name) for name in crashes}
    assert len(crashes) > len(texts) // 2


@pytest.mark.variants
@pytest.mark.parametrize(
    ("indent", "said"),
    [("    ", wer_report()), ("\t", wer_report()), ("  ", LOGCAT), (" ", GO), ("    ", PRINTED)],
    ids=["wer", "wer, tab", "logcat", "go", "walk"],
)
def test_a_text_with_blanks_before_each_line_has_the_same_crashes(lake, tmp_path, indent, said):
    assert load_whole(lake, put(tmp_path / "plain", {"a": said.encode()})).accepted == 1
    indented = "".join(indent + line for line in said.splitlines(keepends=True))
    report = load_whole(lake, put(tmp_path / "in", {"a": indented.encode()}))
    assert (report.read, report.duplicates) == (1, 1)


def test_a_list_of_events_that_windows_saved_as_a_table_is_one_and_no_table_of_records(lake, tmp_path):
    rows = saved(ERROR).replace("\t", ",").replace("\n", "\r\n").encode()
    records = (
        b"crash_id,host_id,occurred_at,os_type,code\nc1,h1,2024-07-19T04:10:02Z,windows,The computer has rebooted\n"
    )
    report = load_whole(lake, put(tmp_path / "in", {"events.csv": rows, "crashes.csv": records}))
    assert (report.accepted, report.quarantined) == (2, 0)
    assert {row["code"] for row in rows_of(lake, "crash")} == {"0xc0000005", "The computer has rebooted"}


@pytest.mark.slow
def test_a_report_may_stand_far_down_in_what_a_program_wrote(lake, tmp_path):
    log, end = b"relay: a batch of 12 items was sent\n" * (6 * HEAD_BYTES // 5 // 36), ASAN.encode()
    files = {"relay.log": log + end, "other.log": log, "core": b"\x7fELF\0" + log + end}
    report = load_whole(lake, put(tmp_path / "in", files))
    assert (report.accepted, [Path(name).name for name in report.left_out]) == (1, ["core", "other.log"])
    marked = b"".join(b"> " + line for line in (log + end).splitlines(keepends=True))
    others = {"quoted.log": marked, "windows.log": (log + end).decode().encode("utf-16")}
    assert load_whole(lake, put(tmp_path / "others", others)).duplicates == 2


@pytest.mark.slow
@pytest.mark.parametrize("pack", PACKERS)
def test_files_in_any_order_under_any_names_and_in_two_loads(lake, tmp_path, all_at_once, pack):
    names = list(ALL)
    random.Random(7).shuffle(names)
    renamed = {f"{at:02}.{['log', 'json', 'txt', 'xml'][at % 4]}": ALL[name] for at, name in enumerate(names)}
    halves = [dict(list(renamed.items())[half::2]) for half in (0, 1)]
    reports = [load_whole(lake, put(tmp_path / f"in{at}", files, pack)) for at, files in enumerate(halves)]
    assert sum(report.read for report in reports) == all_at_once[0].read
    assert told_of(lake) == all_at_once[1]


@pytest.mark.slow
def test_files_as_pipes_and_on_stdin(lake, tmp_path, all_at_once, monkeypatch):
    read = 0
    some = list(ALL.items())[::4]
    for at, (name, data) in enumerate(some):
        if at % 2:
            monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))
            read += load_whole(lake, "-").read
            continue
        pipe = tmp_path / name
        os.mkfifo(pipe)
        writer = threading.Thread(target=pipe.write_bytes, args=(data,))
        writer.start()
        read += load_whole(lake, pipe).read
        writer.join()
    assert read >= len(some), "each has at least one"
    times = ("occurred_at", "time_quality")  # of those that tell none, when they came
    expected = {name: {k: v for k, v in row.items() if k not in times} for name, row in all_at_once[1].items()}
    found = told_of(lake, but=times)
    assert found == {name: row for name, row in expected.items() if name in found}


@pytest.mark.slow
@settings(max_examples=12, deadline=None)
@given(st.lists(st.sampled_from(EACH).flatmap(lambda one: changed(one[2])) | st.binary(max_size=300), max_size=30))
def test_what_is_read_of_damaged_files_is_accounted_for(tmp_path_factory, files):
    folder = tmp_path_factory.mktemp("damaged")
    put(folder / "in", {f"{at:02}": data for at, data in enumerate(files)})
    lake = Lake.create(folder / "lake")
    try:
        report = load_whole(lake, folder / "in")
    except IncompleteLoad as error:
        report = error.report
        assert all(len(problem.splitlines()) == 1 for problem in error.problems)  # noqa: PT017 - or there is none
    assert report.read == report.accepted + report.duplicates + report.quarantined
    assert len(rows_of(lake, "crash")) == report.accepted
    if report.read:
        before = told_of(lake)
        with suppress(IncompleteLoad):
            load_whole(lake, folder / "in")
        assert told_of(lake) == before


KILLED = """
import sys
from datetime import datetime, UTC
from fleetcrash.store import Lake
from ingest import crash_files
from ingest.load import load
from ingest.sources import Hosts
crash_files._BATCH_BYTES = 50_000
load(Lake.open(sys.argv[1]), [sys.argv[2]], now=datetime(2026, 12, 1, tzinfo=UTC), hosts=Hosts("h-told"),
     progress=lambda at: print(at.read, flush=True))
"""


@pytest.mark.slow
def test_kill_9_in_a_load_of_many_crash_files_then_the_same_load(lake, tmp_path, monkeypatch):
    monkeypatch.setattr(crash_files, "_BATCH_BYTES", 50_000)
    put(tmp_path / "in", {f"{number:04}.dmp": dump(code=number) for number in range(2000)})
    in_peace = Lake.create(tmp_path / "in peace")
    load_whole(in_peace, tmp_path / "in")
    command = [sys.executable, "-c", KILLED, str(lake.root), str(tmp_path / "in")]
    root = Path(__file__).parents[2]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=root, env={**os.environ, "PYTHONPATH": "."}) as child:
        assert child.stdout is not None
        child.stdout.readline()
        child.send_signal(signal.SIGKILL)
    assert 0 < len(rows_of(lake, "batch")) < len(rows_of(in_peace, "batch"))
    load_whole(lake, tmp_path / "in")
    assert told_of(lake) == told_of(in_peace)
    assert len(rows_of(lake, "crash")) == 2000
    assert len(rows_of(lake, "batch")) == len(rows_of(in_peace, "batch"))
