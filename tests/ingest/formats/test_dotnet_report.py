"""Reports of .NET's createdump."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.formats.crashes import Unfit
from ingest.formats.dotnet_report import DOTNET_REPORT
from ingest.formats.known import format_of
from tests.ingest.formats.conftest import crashes_of, head
from tests.ingest.formats.damage import changed, survives


def native(name: str | None, module: str) -> dict[str, Any]:
    named = {"unmanaged_name": name} if name else {}
    return {"is_managed": "false", "native_offset": "0x1d5e", "native_module": module, **named}


def managed(name: str) -> dict[str, Any]:
    return {"is_managed": "true", "native_offset": "0x57", "method_name": name, "filename": "Relay.Core.dll"}


def report(*frames: dict[str, Any], thrown: str | None = None, crashed: Any = "true", **parameters: str) -> bytes:
    thread = {
        "is_managed": "true",
        "crashed": crashed,
        "native_thread_id": "0x1c",
        "ctx": {"IP": "0x7f01", "SP": "0x7f02", "BP": "0x7f03"},
        "stack_frames": list(frames),
    }
    if thrown:
        thread["managed_exception_type"] = thrown
    other = {"is_managed": "false", "crashed": "false", "native_thread_id": "0x1", "stack_frames": [native("x", "y")]}
    payload = {
        "protocol_version": "1.0.0",
        "configuration": {"architecture": "amd64", "version": "10.0.1 @Commit: 0a1b "},
        "process_name": "relay",
        "threads": [other, thread],
    }
    return json.dumps({"payload": payload, **({"parameters": parameters} if parameters else {})}, indent=2).encode()


ABORTS = (native("pthread_kill", "libc.so.6"), native("PROCAbort", "libcoreclr.so"))
THROWN = report(
    *ABORTS, managed("Relay.Queue.Pop()"), managed("Relay.Main()"), thrown="System.InvalidOperationException"
)


def test_an_exception_that_nobody_caught_is_of_the_code_that_threw_it():
    assert format_of(head(THROWN)) is DOTNET_REPORT
    (crash,) = crashes_of(DOTNET_REPORT, THROWN)
    assert (crash["code"], crash["module"], crash["os_type"]) == (
        "System.InvalidOperationException", "Relay.Core.dll", "linux",
    )  # fmt: skip
    assert [one["function"] for one in crash["frames"]] == ["Relay.Queue.Pop()", "Relay.Main()"]
    assert crash["tags"]["process"] == "relay"


def test_a_fault_of_native_code_is_told_by_its_type():
    data = report(
        native(None, "libqueue.dylib"), managed("Relay.Main()"), crashed=True,
        ExceptionType="0x20000000", OSVersion="15.1", SystemManufacturer="apple",
    )  # fmt: skip
    (crash,) = crashes_of(DOTNET_REPORT, data)
    assert (crash["code"], crash["module"], crash["module_offset"]) == ("SIGSEGV", "libqueue.dylib", 0x1D5E)
    assert (crash["os_type"], crash["os_version"]) == ("darwin", "15.1")
    (crash,) = crashes_of(DOTNET_REPORT, report(native("abort", "libc.so.6"), native("push", "libqueue.so")))
    assert (crash["code"], crash["module"]) == ("SIGABRT", "libqueue.so")


def test_frames_that_repeat_are_told_once():
    again = {"repeated": "0x3f00", "repeated_frames": [managed("Relay.Tree.Depth()")]}
    (crash,) = crashes_of(DOTNET_REPORT, report(again, managed("Relay.Main()")))
    assert [one["function"] for one in crash["frames"]] == ["Relay.Tree.Depth()", "Relay.Main()"]


def test_what_was_asked_for_is_no_crash():
    assert crashes_of(DOTNET_REPORT, report(managed("Relay.Main()"), crashed="false")) == []
    assert crashes_of(DOTNET_REPORT, report(managed("Relay.Main()"), ExceptionType="0x02000000")) == []


@pytest.mark.parametrize("data", [b'{"payload": {"threads": [], "protocol_version": 1}}', b'{"threads": 1}', b"[]"])
def test_others_are_not(data):
    assert not DOTNET_REPORT.recognises(head(data))


def test_damage_is_told():
    with pytest.raises(Unfit):
        crashes_of(DOTNET_REPORT, THROWN[:-40])
    with pytest.raises(Unfit):
        crashes_of(DOTNET_REPORT, b'{"payload": {"protocol_version": "1", "threads": {"is_managed": 1}}}')


@given(changed(THROWN) | st.binary(max_size=100))
def test_no_bytes_break_it(data):
    survives(DOTNET_REPORT, data)
