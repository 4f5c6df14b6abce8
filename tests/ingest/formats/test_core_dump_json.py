"""The list of core dumps in JSON has the crashes of the table."""

from __future__ import annotations

import json

import pytest

from ingest.formats.core_dump_json import COREDUMPCTL_JSON
from ingest.formats.known import format_of
from tests.ingest.formats.conftest import crashes_before_damage, crashes_of, head

ROWS = [
    {"time": 1721362202123456, "pid": 812, "uid": 0, "gid": 0, "sig": 11, "corefile": "present",
     "exe": "/opt/relay/relay", "size": 1258291},
    {"time": 1721365802000000, "pid": 813, "uid": 7, "gid": 7, "sig": 6, "corefile": "none", "exe": None, "size": None},
]  # fmt: skip
LIST = json.dumps(ROWS, separators=(",", ":")).encode() + b"\n"


@pytest.mark.parametrize("data", [LIST, json.dumps(ROWS, indent="\t").encode()])
def test_a_list_has_a_crash_a_row(data):
    assert format_of(head(data)) is COREDUMPCTL_JSON
    found = crashes_of(COREDUMPCTL_JSON, data, block_bytes=50)
    assert [(one["host_id"], one["occurred_at"], one["code"], one.get("module")) for one in found] == [
        ("h-told", "2024-07-19T04:10:02.123456Z", "SIGSEGV", "relay"),
        ("h-told", "2024-07-19T05:10:02Z", "SIGABRT", None),
    ]


def test_what_is_whole_before_a_break_is_read():
    found, damage = crashes_before_damage(COREDUMPCTL_JSON, LIST[:-30])
    assert (len(found), damage.code) == (1, "bad_core_dumps")
    assert crashes_of(COREDUMPCTL_JSON, b"[]") == []


def test_other_lists_are_none():
    assert format_of(head(b'[{"time": 12, "name": "relay"}]')) is None
