"""A system's log as shippers send it on."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.formats.known import format_of
from ingest.formats.shipped_logs import SHIPPED_LOG as FORMAT
from tests.ingest.formats.conftest import crashes_of, head
from tests.ingest.formats.damage import changed, survives

SEGFAULT = (
    "relay[78]: segfault at 18 ip 00007f1a2b3c4d5e sp 00007ffe12345678 error 4 in librelay.so.1[4d5e,7f1a2b3c0000+5000]"
)
AT = "2024-07-19T04:10:02.123Z"


def lines(*objects: dict[str, Any]) -> bytes:
    return b"".join(json.dumps(one).encode() + b"\n" for one in objects)


OTHER = {"@timestamp": AT, "host": {"hostname": "web-1"}, "process": {"name": "sshd", "pid": 7}, "message": "up"}
ELASTIC = lines(OTHER, {**OTHER, "process": {"name": "kernel"}, "message": SEGFAULT})
FORMS = {
    "elastic": ELASTIC,
    "filebeat": lines(
        {"@timestamp": AT, "host": {"name": "x"}, "message": f"Jul 19 04:10:02 web-1 kernel: {SEGFAULT}"}
    ),
    "vector": lines({"timestamp": AT, "host": "web-1", "SYSLOG_IDENTIFIER": "kernel", "message": SEGFAULT}),
}


@pytest.mark.parametrize("name", FORMS)
def test_a_fault_is_the_hosts(name):
    assert format_of(head(FORMS[name])) is FORMAT
    (crash,) = crashes_of(FORMAT, FORMS[name], block_bytes=100)
    assert (crash["host_id"], crash["module"], crash["code"]) == ("web-1", "librelay.so.1", "SIGSEGV")
    assert crash["occurred_at"][4:19] == "-07-19T04:10:02"


def test_a_message_of_many_lines_is_one():
    said = (
        "Process 78 (relay) of user 998 dumped core.\n\nStack trace of thread 78:\n"
        "#0  0x00007f1a2b3c4d5e relay_push (librelay.so.1 + 0x4d5e)\n"
    )
    dumped = {**OTHER, "process": {"name": "systemd-coredump", "pid": 80}, "message": said}
    (crash,) = crashes_of(FORMAT, ELASTIC + lines(dumped))
    assert (crash["module"], crash["frames"][0]["function"]) == ("librelay.so.1", "relay_push")


@pytest.mark.parametrize(
    "data",
    [
        lines(OTHER),
        lines({"message": SEGFAULT, "process": {"name": "kernel"}}),
        b'{"record": "crash", "message": "kernel", "@timestamp": "2024-07-19T04:10:02Z"}\n',
        b"{kernel}",
    ],
)
def test_others_are_not(data):
    assert format_of(head(data)) is not FORMAT


@given(changed(ELASTIC) | changed(FORMS["vector"]) | st.binary(max_size=100))
def test_no_bytes_break_it(data):
    FORMAT.recognises(head(data))
    survives(FORMAT, data)
