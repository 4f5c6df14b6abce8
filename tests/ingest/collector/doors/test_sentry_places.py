"""Sentry's door: where an event says that it crashed, by frames, images and minidumps, and which dumps are crashes."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ingest.collector.doors import sentry
from tests.ingest.collector.doors.conftest import asked, the_record
from tests.ingest.collector.doors.test_minidump import dump
from tests.ingest.collector.doors.test_sentry import EVENT, EVENT_ID, MESSAGE, envelope, of_event


def test_a_native_frame_is_told_by_its_library_and_the_offset_in_it():
    frame = {"package": "/opt/agent/libscan.so", "function": "scan", "instruction_addr": "0x7f0000001234"}
    images = [{"image_addr": "0x7f0000001000", "image_size": 4096}, {"image_addr": None}, 7]
    thread = {"crashed": True, "stacktrace": {"frames": [{"function": "main"}, frame]}}
    event = {**EVENT, "level": "fatal", "debug_meta": {"images": images}, "threads": {"values": [thread]}}
    event["exception"] = {"values": [{"type": "SIGSEGV"}]}
    record = the_record(sentry.read_envelope(of_event(event), asked()))
    assert record["frames"][0] == {"module": "libscan.so", "function": "scan", "offset": 0x234}
    assert (record["module"], record["module_offset"], record["code"]) == ("libscan.so", 0x234, "SIGSEGV")


MAIN = {"image_addr": "0x104e00000", "image_size": 0x8000, "code_file": "/Applications/Acme.app/Contents/MacOS/Acme"}


@pytest.mark.parametrize(
    ("frame", "image", "module", "offset"),
    [
        ({"instruction_addr": "0x104e01f40"}, MAIN, "Acme", 0x1F40),
        ({"instruction_addr": "0x104e01f40", "image_addr": "0x104e00000"}, MAIN, "Acme", 0x1F40),
        ({"instruction_addr": "0x104e01f40", "module": "Acme.Sync"}, MAIN, "Acme", 0x1F40),
        (
            {"instruction_addr": "0x104e01f40"},
            {**MAIN, "code_file": None, "name": "/usr/lib/libz.dylib"},
            "libz.dylib",
            0x1F40,
        ),
        ({"instruction_addr": "0x104e01f40"}, {**MAIN, "code_file": "C:\\Acme\\sync.dll"}, "sync.dll", 0x1F40),
        ({"instruction_addr": "0x104e01f40"}, {**MAIN, "code_file": "/opt/libz.so (deleted)"}, "libz.so", 0x1F40),
        ({"instruction_addr": "0x104e01f40"}, {**MAIN, "code_file": None}, None, None),
        ({"instruction_addr": "0x204e01f40"}, MAIN, None, None),
        ({"instruction_addr": "0x1f", "addr_mode": "rel:0"}, {**MAIN, "image_addr": "0x0"}, None, None),
        ({"instruction_addr": 0x104E01F40, "package": "/usr/lib/libc.so"}, MAIN, "libc.so", 0x1F40),
    ],
)
def test_a_frame_without_a_library_has_that_in_which_its_address_lies(frame, image, module, offset):
    stack = {"stacktrace": {"frames": [frame]}}
    event = {**EVENT, "level": "fatal", "debug_meta": {"images": [image]}, "exception": {"type": "SIGSEGV", **stack}}
    record = the_record(sentry.read_envelope(of_event(event), asked()))
    assert (record.get("module"), record.get("module_offset")) == (module, offset)


@pytest.mark.parametrize(
    ("package", "module", "version"),
    [
        ("Acme.Sync, Version=1.2.3.0, Culture=neutral, PublicKeyToken=null", "Acme.Sync", "1.2.3.0"),
        ("Acme.Sync, Culture=neutral, PublicKeyToken=b77a5c561934e089", "Acme.Sync", None),
        ("Acme.Sync, Version=, Culture=neutral", "Acme.Sync", None),
        ("/opt/a, b/libscan, debug.so", "libscan, debug.so", None),
        ("Acme.Sync", "Acme.Sync", None),
        (", Version=1.0.0.0", ", Version=1.0.0.0", None),
    ],
)
def test_an_assembly_is_one_module_whatever_its_version(package, module, version):
    frames = {"stacktrace": {"frames": [{"package": package, "function": "void Sync.Run()"}]}}
    event = {**EVENT, "level": "fatal", "exception": {"type": "System.NullReferenceException", **frames}}
    record = the_record(sentry.read_envelope(of_event(event), asked()))
    assert (record["module"], record.get("module_version")) == (module, version)
    assert record["frames"][0]["module"] == module


def with_dumps(event: Any, *dumps: bytes) -> bytearray:
    attached = {"type": "attachment", "attachment_type": "event.minidump"}
    items = [({"type": "event"}, json.dumps(event).encode())] if event is not None else []
    return envelope(*items, *(({**attached, "length": len(one)}, one) for one in dumps))


@pytest.mark.parametrize(
    ("frame", "place"),
    [
        ({"package": "C:\\Acme\\acme.exe"}, ("acme.exe", None, None)),
        ({"package": "C:\\Acme\\acme.exe", "instruction_addr": "0x500010"}, ("acme.exe", None, 0x10)),
        ({"package": "Acme, Version=1.2.3.0, Culture=neutral"}, ("Acme", "1.2.3.0", None)),
        ({"package": "C:\\Windows\\System32\\CSAgent.dll"}, ("CSAgent.dll", "7.11.18110.0", 0x1234)),
        ({"function": "run"}, ("csagent.dll", "7.11.18110.0", 0x1234)),
        ({"instruction_addr": "0x500010"}, ("csagent.dll", "7.11.18110.0", 0x1234)),
    ],
)
def test_the_place_of_a_crash_is_told_by_its_event_or_by_its_minidump_not_by_both(frame, place):
    event = {
        **EVENT, "level": "fatal", "debug_meta": {"images": [{"image_addr": "0x500000", "image_size": 4096}]},
        "exception": {"values": [{"type": "E", "stacktrace": {"frames": [{**frame, "in_app": True}, {}]}}]},
    }  # fmt: skip
    for dumps in ([dump()], [dump(), dump(module="C:\\Windows\\System32\\ntdll.dll")]):
        record = the_record(sentry.read_envelope(with_dumps(event, *dumps), asked()))
        assert (record["module"], record.get("module_version"), record.get("module_offset")) == place


REQUESTED = dump(code=0x0517A7ED)


@pytest.mark.parametrize(
    ("event", "dumps", "is_crash"),
    [
        (None, [REQUESTED], False),
        (MESSAGE, [REQUESTED], False),
        (MESSAGE, [REQUESTED, dump()], True),
        (MESSAGE, [b"MDMP cut short"], True),
        (MESSAGE, [dump()], True),
        ({**MESSAGE, "level": "fatal"}, [REQUESTED], True),
        (None, [dump()], True),
    ],
)
def test_a_minidump_that_was_asked_for_makes_no_crash(event, dumps, is_crash):
    reading = sentry.read_envelope(with_dumps(event, *dumps), asked())
    assert (reading.read, reading.not_read) == (int(is_crash), int(not is_crash))
    assert json.loads(reading.reply) == {"id": EVENT_ID}
    assert is_crash or not reading.dumps
