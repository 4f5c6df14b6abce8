"""systemd's journal: core dumps among all else that a machine logs, however it is cut, and in bounded memory."""

from __future__ import annotations

import json
import os
import tracemalloc
from collections.abc import Iterator, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.formats.crashes import Unfit
from ingest.formats.format import BrokenOff
from ingest.formats.journal import JOURNAL, Journal
from tests.ingest.formats.conftest import TOLD

SAMPLES = Path(os.environ.get("FLEETCRASH_SAMPLES", "../shared/samples"))
STACK = (
    "Process 7 (scan) dumped core.\n\nStack trace of thread 7:\n#0  0x000055a00bf4a139 main (/opt/x/scan + 0x1139)\n"
)
COREDUMP = {
    "__REALTIME_TIMESTAMP": "1721362203000000",
    "_MACHINE_ID": "m1",
    "_HOSTNAME": "web-1",
    "_BOOT_ID": "b1",
    "MESSAGE_ID": "fc2e22bc6ee647b6b90729ab34a250b1",
    "COREDUMP_PID": "7",
    "COREDUMP_EXE": "/opt/x/scan",
    "COREDUMP_CMDLINE": "scan --password=geheim",
    "COREDUMP_TIMESTAMP": "1721362202250000",
    "COREDUMP_SIGNAL_NAME": "SIGSEGV",
    "MESSAGE": STACK,
}
OTHER = {"__REALTIME_TIMESTAMP": "1721362203000000", "_MACHINE_ID": "m1", "MESSAGE": "started"}


def entry(fields: Mapping[str, str | bytes]) -> bytes:
    """An entry as systemd writes it: what holds a newline goes in binary."""
    parts = []
    for name, value in fields.items():
        data = value.encode() if isinstance(value, str) else value
        if b"\n" in data:
            parts.append(name.encode() + b"\n" + len(data).to_bytes(8, "little") + data + b"\n")
        else:
            parts.append(name.encode() + b"=" + data + b"\n")
    return b"".join(parts) + b"\n"


def read(*parts: bytes) -> tuple[list[dict[str, Any]], int]:
    """The records of a body that comes in parts, and the count of entries that are none."""
    journal = Journal()
    for part in parts:
        journal.feed(part)
    journal.end()
    records, not_read = journal.taken()
    found = [json.loads(line) for line in bytes(records.lines).splitlines()]
    assert records.read == len(found)
    return found, not_read


def test_a_core_dump_is_a_crash_and_all_else_is_not_read():
    (record,), not_read = read(entry(OTHER) + entry(COREDUMP) + entry(OTHER))
    crash_id = record.pop("crash_id")
    assert record == {
        "record": "crash",
        "host_id": "m1",
        "occurred_at": "2024-07-19T04:10:02.250000Z",
        "os_type": "linux",
        "domain": "user",
        "code": "SIGSEGV",
        "module": "scan",
        "module_offset": 0x1139,
        "frames": [{"module": "scan", "function": "main", "offset": 0x1139}],
        "tags": {"exe": "/opt/x/scan", "hostname": "web-1", "boot_id": "b1"},
    }
    assert not_read == 2
    assert read(entry(COREDUMP))[0][0]["crash_id"] == crash_id
    assert read(entry({**COREDUMP, "COREDUMP_PID": "8"}))[0][0]["crash_id"] != crash_id


def crash(**fields: str) -> dict[str, Any]:
    """The record of a core dump with other fields; one that is empty is not told."""
    told = {name: value for name, value in (COREDUMP | fields).items() if value}
    return read(entry(told))[0][0]


def test_the_module_is_the_innermost_that_is_known():
    nowhere = STACK.replace("#0  ", "#0  0x0000000000000000 n/a (n/a + 0x0)\n#1  ")
    record = crash(MESSAGE=nowhere)
    assert (record["module"], record["module_offset"], len(record["frames"])) == ("scan", 0x1139, 2)
    record = crash(MESSAGE="Process 7 (scan) dumped core.\n\n#0  0x0000000000000000 n/a (n/a + 0x0)\n")
    assert (record["module"], record.get("module_offset"), len(record["frames"])) == ("scan", None, 1)
    assert crash(MESSAGE="Process 7 (scan) dumped core.")["module"] == "scan"


def test_older_systemd_tells_no_offsets():
    record = crash(MESSAGE="#0  0x00007f8c0d3a5e10 raise (libc.so.6)\n#1  0x0000000000400526 main (scan)\n")
    assert (record["module"], "module_offset" in record) == ("scan", False)
    assert record["frames"][1] == {"module": "scan", "function": "main", "offset": None}


@pytest.mark.parametrize(
    ("name", "number", "code"),
    [("", "11", "SIGSEGV"), ("", "6", "SIGABRT"), ("SIGBUS", "7", "SIGBUS"), ("", "34", "34"), ("", "", None)],
)
def test_a_signal_without_its_name_is_told_by_its_number(name, number, code):
    assert crash(COREDUMP_SIGNAL_NAME=name, COREDUMP_SIGNAL=number).get("code") == code


@given(st.lists(st.integers(0, 3000), max_size=6))
def test_it_is_the_same_however_it_is_cut(cuts):
    body = entry(OTHER) + entry(COREDUMP) + entry({**OTHER, "BLOB": b"\n\x00\xff\n\n=" * 9}) + entry(COREDUMP)
    places = sorted({0, len(body), *(cut for cut in cuts if cut < len(body))})
    assert read(*(body[start:end] for start, end in pairwise(places))) == read(body)
    assert read(body)[1] == 2


def test_what_the_kernel_said_before_a_stream_broke_off_is_a_crash():
    said = {**OTHER, "_TRANSPORT": "kernel", "MESSAGE": "Kernel panic - not syncing: Fatal exception"}

    def blocks() -> Iterator[bytes]:
        yield entry(said) + entry(COREDUMP)[:-30]
        raise BrokenOff

    found = []
    with pytest.raises(BrokenOff):  # noqa: PT012 - what came before it counts
        for records in JOURNAL.read(blocks(), TOLD):
            found += bytes(records.lines).splitlines()
    assert [json.loads(one)["domain"] for one in found] == ["kernel"]


def test_the_last_entry_needs_no_blank_line_and_blank_lines_are_no_entries():
    assert read(b"\n\n" + entry(OTHER) + b"\n\n" + entry(COREDUMP).removesuffix(b"\n")) == read(
        entry(OTHER) + entry(COREDUMP)
    )
    assert read(b"") == read(b"\n") == ([], 0)


def printed(said: str, *, at_us: int = 1721362203000000) -> bytes:
    fields = OTHER | {"__REALTIME_TIMESTAMP": str(at_us), "_PID": "7"}
    return b"".join(entry(fields | {"MESSAGE": line}) for line in said.splitlines())


GO_PANIC = """\
panic: runtime error: index out of range [3] with length 3

goroutine 1 [running]:
main.(*Queue).Push(...)
\t/srv/relay/queue.go:10"""


def test_what_a_program_printed_when_it_crashed_is_a_crash():
    others = entry(OTHER | {"_PID": "8", "MESSAGE": "panic: not at all"})
    (record,), not_read = read(
        printed("ready") + others + others.join(printed(one or " ") for one in GO_PANIC.split("\n"))
    )
    assert record | {"host_id": "m1", "time_quality": "log", "occurred_at": "2024-07-19T04:10:03Z"} == record
    assert [frame["function"] for frame in record["frames"]] == ["main.(*Queue).Push"]
    assert not_read == 2 + 5 + 4


def test_a_program_of_whose_end_systemd_tells_is_one_crash():
    said = printed(
        "==7==ERROR: AddressSanitizer: ABRT on unknown address 0x7\n    #0 0x4f8e21 in push /srv/queue.cc:10"
    )
    (record,), _ = read(said + entry(COREDUMP))
    assert record["code"] == "SIGSEGV"


def test_what_a_program_printed_is_told_while_a_journal_goes_on():
    journal = Journal()
    journal.feed(printed(GO_PANIC))
    assert not journal.taken()[0].read
    journal.feed(entry(OTHER | {"__REALTIME_TIMESTAMP": "1721362303000000"}))
    assert journal.taken()[0].read == 1


@pytest.mark.parametrize("left_out", [("MESSAGE_ID",), ("MESSAGE_ID", "MESSAGE", "COREDUMP_PID")])
def test_a_core_dump_is_one_where_only_some_fields_were_asked_for(left_out):
    asked = {name: value for name, value in COREDUMP.items() if name not in left_out}
    (crash,), not_read = read(entry(asked) + entry(OTHER))
    assert (crash["code"], crash["module"], not_read) == ("SIGSEGV", "scan", 1)
    assert read(entry({**asked, "MESSAGE_ID": "5aadd8e954dc4b1a8c954d63fd9e1137"})) == ([], 1)


def test_a_kernel_is_known_by_its_name_where_its_transport_was_not_asked_for():
    panic = {**OTHER, "SYSLOG_IDENTIFIER": "kernel", "MESSAGE": "Kernel panic - not syncing: Fatal exception"}
    (crash,), _ = read(entry(panic))
    assert (crash["domain"], crash["host_id"]) == ("kernel", "m1")
    assert read(entry({**panic, "_TRANSPORT": "syslog"})) == ([], 1)  # a program may take the name


def test_what_is_wrong_with_a_core_dump_is_left_for_the_rules_to_say():
    bare = {"MESSAGE_ID": COREDUMP["MESSAGE_ID"]}
    assert set(read(entry(bare))[0][0]) == {"record", "crash_id", "os_type", "domain"}
    assert read(entry({**COREDUMP, "COREDUMP_TIMESTAMP": "noon"}))[0][0]["occurred_at"] == "noon"


@pytest.mark.parametrize(
    "body",
    [
        entry(COREDUMP)[:-3],
        entry(COREDUMP) + b"MESSAGE=start",
        entry(COREDUMP) + b"BLOB\n" + (2**63).to_bytes(8, "little") + b"x" * 1000,
        entry(COREDUMP) + b"BLOB\n\x01\x00",
        entry(COREDUMP) + b"N" * 1000 + b"\n",
        entry(COREDUMP) + b"N" * 1_000_000,
    ],
)
def test_a_journal_that_breaks_off_is_refused_and_its_whole_entries_are_kept(body):
    journal = Journal()

    def take_all() -> None:
        journal.feed(body)
        journal.end()

    with pytest.raises(Unfit, match=r"The journal ends|has no end") as refused:
        take_all()
    assert not refused.value.is_too_large
    assert journal.taken()[0].read == body.startswith(entry(COREDUMP))


def test_memory_is_bounded_whatever_comes():
    blocks = [
        b"CORE\n" + (1 << 40).to_bytes(8, "little"),
        *[bytes(1 << 20)] * 20,
    ]
    long_line = [b"MESSAGE=", *[b"x" * (1 << 20)] * 20]
    held = b"MESSAGE\n" + (1 << 40).to_bytes(8, "little")
    for parts in (blocks, long_line, [held, *blocks[1:]]):
        journal = Journal()
        tracemalloc.start()
        for part in parts:
            journal.feed(part)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 3 << 20, "bytes, of 20 MiB that came"


@given(st.binary(max_size=300))
def test_no_bytes_break_it(body):
    journal = Journal()
    try:
        journal.feed(body)
        journal.end()
    except Unfit as refusal:
        assert refusal.code == "bad_journal"  # noqa: PT017 - or there is none
    assert journal.taken()[0].read == 0


def test_a_recorded_journal():
    path = SAMPLES / "systemd_coredump" / "real_systemd257_coredump.export"
    if not path.exists():
        pytest.skip(f"no samples at {SAMPLES}; FLEETCRASH_SAMPLES names their folder")
    (record,), not_read = read(path.read_bytes())
    assert (record["code"], record["frames"][0]["function"], not_read) == ("SIGSEGV", "main", 1)
    assert record["host_id"] == "fedcba9876543210fedcba9876543210"
