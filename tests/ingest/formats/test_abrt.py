"""abrt's folders: one crash each, of the host and the time that the files beside its stack tell."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.formats.abrt import ABRT, blocks_of_problem, is_problem
from ingest.sources import Hosts, find
from tests.ingest.formats.conftest import crashes_of
from tests.ingest.formats.damage import survives
from tests.ingest.formats.test_containers import JAVA, PYTHON
from tests.ingest.formats.test_debuggers import GDB
from tests.ingest.formats.test_kernel_log import OLD_OOPS, WARNING_PANIC

CORE = {
    "signal": 11,
    "executable": "/usr/bin/relay",
    "stacktrace": [
        {"frames": [{"file_name": "/usr/lib64/libc.so.6", "build_id_offset": 7}]},
        {"crash_thread": True, "frames": [
            {"function_name": "queue_push", "file_name": "/usr/bin/relay", "build_id_offset": 4660},
            {"file_name": "/usr/lib64/libc.so.6", "build_id_offset": 99},
        ]},
    ],
}  # fmt: skip
COMMON = {"time": "1721362202", "hostname": "web-1", "kernel": "5.14.0-427.el9.x86_64", "executable": "/usr/bin/relay",
          "environ": "TOKEN=geheim", "cmdline": "relay --key geheim", "username": "rita", "pid": "4711"}  # fmt: skip
NATIVE = {**COMMON, "type": "CCpp", "reason": "relay killed by SIGSEGV", "core_backtrace": json.dumps(CORE)}
OOPS = {**COMMON, "type": "Kerneloops", "reason": "BUG: unable to handle kernel NULL pointer dereference",
        "backtrace": OLD_OOPS.replace("[ 1234.", "[1234.")}  # fmt: skip


def put(folder: Path, fields: dict[str, str]) -> Path:
    folder.mkdir(parents=True)
    for name, said in fields.items():
        (folder / name).write_text(f"{said}\n")
    return folder


def crashes(fields: dict[str, Any]) -> list[Any]:
    return crashes_of(ABRT, json.dumps(fields).encode())


def test_a_process_that_a_signal_ended():
    (crash,) = crashes(NATIVE)
    assert crash.pop("crash_id")
    assert crash == {
        "record": "crash", "host_id": "web-1", "occurred_at": "2024-07-19T04:10:02Z", "time_quality": "log",
        "os_type": "linux", "os_version": "5.14.0-427.el9.x86_64", "domain": "user", "code": "SIGSEGV",
        "module": "relay",
        "frames": [{"module": "relay", "function": "queue_push", "offset": None},
                   {"module": "libc.so.6", "function": None, "offset": 99}],
        "tags": {"exe": "/usr/bin/relay", "pid": "4711", "message": "relay killed by SIGSEGV"},
    }  # fmt: skip


def test_what_gdb_said_tells_the_stack_where_the_short_form_is_missing():
    (crash,) = crashes({**NATIVE, "core_backtrace": "", "backtrace": GDB})
    assert crash["code"] == "SIGSEGV"
    assert crash["frames"][0]["function"]
    (bare,) = crashes({**NATIVE, "core_backtrace": "{"})
    assert (bare["module"], bare["code"], bare.get("frames", [])) == ("relay", "SIGSEGV", [])


@pytest.mark.parametrize(
    ("kind", "reason", "backtrace", "code"),
    [
        ("Python3", "start.py:7:push:ValueError: cannot start", PYTHON, "ValueError"),
        ("Python", "start.py:7:push:relay.queue.Full: no room", PYTHON, "relay.queue.Full"),
        ("Java", "Uncaught exception java.lang.IllegalStateException in method com.acme.relay.Queue.push()", JAVA,
         "java.lang.IllegalStateException"),
    ],
)  # fmt: skip
def test_exceptions_are_named_by_the_reason(kind, reason, backtrace, code):
    (crash,) = crashes({**COMMON, "type": kind, "reason": reason, "backtrace": f"{reason}\n\n{backtrace}"})
    assert (crash["code"], crash["domain"]) == (code, "user")
    assert crash["frames"]


def test_a_kernel_that_died_and_one_that_only_warned():
    (crash,) = crashes(OOPS)
    assert (crash["domain"], crash["code"], crash["module"]) == ("kernel", "OOPS", "sensor_lsm")
    warned = WARNING_PANIC.partition("[   10.100003]")[0]
    assert (
        crashes({**OOPS, "reason": "WARNING: CPU: 1 PID: 12 at drivers/sensor/ring.c:112", "backtrace": warned}) == []
    )


def test_other_problems_are_no_crashes():
    assert crashes({**COMMON, "type": "selinux", "reason": "denied"}) == []


def test_a_time_that_is_none_is_left_to_the_rules():
    (crash,) = crashes({**NATIVE, "time": "yesterday"})
    assert crash["occurred_at"] == "yesterday"


def test_a_folder_is_one_source_and_none_of_its_files_is(tmp_path):
    put(tmp_path / "in" / "ccpp-1", {**NATIVE, "backtrace": GDB, "var_log_messages": OLD_OOPS})
    put(tmp_path / "in" / "none", {"reason": "x", "notes.txt": "y"})
    put(tmp_path / "in" / "other", {"reason": "x", "type": "y", "time": "in the morning"})
    found = find([tmp_path / "in"], now=datetime(2026, 11, 25, tzinfo=UTC), hosts=Hosts())
    (source,) = found.sources
    assert [Path(name).name for name in source.names] == ["ccpp-1"]
    assert {Path(name).parent.name for name in found.left_out} == {"none", "other"}
    assert found.problems == []


def test_no_field_that_may_hold_a_secret_is_looked_at(tmp_path):
    folder = put(tmp_path / "ccpp-1", NATIVE)
    assert is_problem(folder)
    said = b"".join(blocks_of_problem(folder))
    assert crashes_of(ABRT, said) == crashes(NATIVE)
    assert b"geheim" not in said
    assert b"rita" not in said
    (folder / "reason").write_text("x" * 100_000)
    (folder / "backtrace").write_text("y" * 3_000_000)
    assert len(b"".join(blocks_of_problem(folder))) < 2 << 20


@given(st.binary(max_size=200) | st.dictionaries(st.sampled_from(sorted(NATIVE)), st.text() | st.sampled_from(
    [*NATIVE.values(), '{"stacktrace": [1]}', '{"stacktrace": {"frames": 1}}', '{"signal": [], "stacktrace": [[]]}']
)).map(lambda fields: json.dumps(fields).encode()))  # fmt: skip
def test_no_bytes_break_it(data):
    survives(ABRT, data)
