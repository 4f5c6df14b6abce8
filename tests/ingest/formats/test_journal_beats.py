"""systemd's journal as Filebeat and Elastic's agent send it on."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.formats.journal_beats import JOURNAL_BEATS as FORMAT
from ingest.formats.known import format_of
from tests.ingest.formats.conftest import crashes_of, head
from tests.ingest.formats.damage import changed, survives
from tests.ingest.formats.test_journal import COREDUMP, STACK
from tests.ingest.formats.test_journal import OTHER as ENTRY
from tests.ingest.formats.test_journal import entry as exported
from tests.ingest.formats.test_journal import read as journal_records

SEGFAULT = (
    "relay[78]: segfault at 18 ip 00007f1a2b3c4d5e sp 00007ffe12345678 error 4 in librelay.so.1[4d5e,7f1a2b3c0000+5000]"
)
OTHER: dict[str, Any] = {
    "@timestamp": "2024-07-19T04:10:03.000Z",
    "agent": {"type": "filebeat", "version": "8.17.0"},
    "input": {"type": "journald"},
    "host": {"id": "m1", "hostname": "web-1"},
    "syslog": {"identifier": "sshd", "priority": 6},
    "systemd": {"transport": "journal", "unit": "ssh.service"},
    "journald": {"host": {"boot_id": "b1"}, "pid": 999},
    "process": {"pid": 999},
    "message": "up",
}
DUMPED = {
    **OTHER,
    "message": STACK,
    "message_id": COREDUMP["MESSAGE_ID"],
    "syslog": {"identifier": "systemd-coredump"},
    "journald": {
        **OTHER["journald"],
        "custom": {name.lower(): said for name, said in COREDUMP.items() if name.startswith("COREDUMP_")},
    },
}
KERNEL = {**OTHER, "message": SEGFAULT, "syslog": {"identifier": "kernel"}, "systemd": {"transport": "kernel"}}


def lines(*objects: dict[str, Any]) -> bytes:
    return b"".join(json.dumps(one).encode() + b"\n" for one in objects)


def test_a_core_dump_is_the_crash_that_the_journal_itself_tells_of():
    data = lines(OTHER, DUMPED)
    assert format_of(head(data)) is FORMAT
    (crash,) = crashes_of(FORMAT, data, block_bytes=100)
    assert [crash] == journal_records(exported(ENTRY) + exported(COREDUMP))[0]
    assert (crash["host_id"], crash["code"], crash["tags"]["exe"]) == ("m1", "SIGSEGV", "/opt/x/scan")


def test_units_are_at_a_place_of_their_own():
    units = {"coredump": {"unit": "scan.service", "user_unit": "u.service"}}
    (crash,) = crashes_of(FORMAT, lines({**DUMPED, "journald": {**DUMPED["journald"], **units}}))
    assert (crash["tags"]["unit"], crash["tags"]["user_unit"]) == ("scan.service", "u.service")


def test_what_a_kernel_says_is_read_and_not_told_twice():
    (crash,) = crashes_of(FORMAT, lines(KERNEL))
    assert (crash["host_id"], crash["module"]) == ("m1", "librelay.so.1")
    assert crash["occurred_at"] == "2024-07-19T04:10:03Z"
    dumped = {**DUMPED, "journald": {"custom": {**DUMPED["journald"]["custom"], "coredump_pid": "78"}}}
    assert len(crashes_of(FORMAT, lines(KERNEL, dumped))) == 1


@pytest.mark.parametrize(
    "data",
    [
        lines({name: said for name, said in OTHER.items() if name not in ("input", "journald")}),
        lines({name: said for name, said in OTHER.items() if name != "@timestamp"}),
        b'{"record": "crash", "tags": {"a": "journald"}}\n',
        b'{"journald"}',
    ],
)
def test_others_are_not(data):
    assert format_of(head(data)) is not FORMAT


@given(changed(lines(OTHER, DUMPED, KERNEL)) | st.binary(max_size=100))
def test_no_bytes_break_it(data):
    FORMAT.recognises(head(data))
    survives(FORMAT, data)
