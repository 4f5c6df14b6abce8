"""Diagnostics of MetricKit: crashes among them, with the stack of the thread that crashed."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given

from ingest.formats.crashes import Unfit
from ingest.formats.known import format_of
from ingest.formats.metrickit import METRICKIT
from tests.ingest.formats.conftest import crashes_of, head
from tests.ingest.formats.damage import changed, survives


def stack(*steps: tuple[str, int], is_attributed: bool = True) -> dict[str, Any]:
    frames: list[Any] = []
    for name, offset in reversed(steps):
        own = {"binaryName": name, "offsetIntoBinaryTextSegment": offset, "address": 0x1_2000_0000 + offset}
        frames = [{**own, "sampleCount": 1, **({"subFrames": frames} if frames else {})}]
    return {"threadAttributed": is_attributed, "callStackRootFrames": frames}


def diagnostic(*stacks: dict[str, Any], **about: Any) -> dict[str, Any]:
    meta = {"osVersion": "iPhone OS 19.1 (23B74)", "deviceType": "iPhone18,1", "appVersion": "4.2",
            "bundleIdentifier": "org.example.relay-app", **about}  # fmt: skip
    tree = {"callStackPerThread": True, "callStacks": list(stacks)}
    return {"version": "1.0.0", "callStackTree": tree, "diagnosticMetaData": meta}


CRASH = diagnostic(
    stack(("libsystem_kernel.dylib", 0x10), is_attributed=False),
    stack(("libsystem_kernel.dylib", 0xB4C), ("RelayApp", 0x1A10), ("UIKitCore", 0x20), ("RelayApp", 0x300)),
    exceptionType=10,
    signal=6,
    terminationReason="Namespace SIGNAL, Code 6 Abort trap: 6",
)
HANG = diagnostic(stack(("RelayApp", 0x30)), hangDuration="2 sec")
PAYLOAD = {
    "timeStampBegin": "2026-11-25 11:02:03",
    "timeStampEnd": "2026-11-25 11:02:04",
    "crashDiagnostics": [CRASH],
    "hangDiagnostics": [HANG],
}


def read(payload: Any) -> list[Any]:
    data = json.dumps(payload).encode()
    assert format_of(head(data)) is METRICKIT
    return crashes_of(METRICKIT, data)


def test_a_crash_is_told_by_the_thread_that_crashed_from_its_root_on():
    (crash,) = read(PAYLOAD)
    assert (crash["occurred_at"], crash["time_quality"], crash["host_id"]) == ("2026-11-25 11:02:04Z", "log", "h-told")
    assert (crash["os_type"], crash["os_version"], crash["os_build"]) == ("darwin", "19.1", "23B74")
    assert (crash["domain"], crash["code"]) == ("user", "SIGABRT")
    assert (crash["module"], crash["module_version"], crash["module_offset"]) == ("RelayApp", "4.2", 0x1A10)
    places = [(frame["module"], frame["offset"]) for frame in crash["frames"]]
    assert places == [
        ("libsystem_kernel.dylib", 0xB4C), ("RelayApp", 0x1A10), ("UIKitCore", 0x20), ("RelayApp", 0x300),
    ]  # fmt: skip
    assert crash["tags"]["bundle_id"] == "org.example.relay-app"


def test_of_an_exception_its_name_is_told():
    said = {"exceptionName": "NSRangeException", "composedMessage": "index 9 beyond bounds"}
    (crash,) = read(
        {"crashDiagnostics": [diagnostic(stack(("RelayApp", 1)), signal=6, objectiveCexceptionReason=said)]}
    )
    assert (crash["tags"]["exception"], crash["tags"]["message"]) == ("NSRangeException", "index 9 beyond bounds")


def test_some_systems_give_where_a_file_was_loaded():
    loaded = {"binaryName": "RelayApp", "offsetIntoBinaryTextSegment": 0x1_0000_4000, "address": 0x1_0000_5A10}
    tree = {"threadAttributed": True, "callStackRootFrames": [loaded]}
    (crash,) = read({"crashDiagnostics": [diagnostic(tree, exceptionType=1, signal=11)]})
    assert (crash["code"], crash["module_offset"]) == ("EXC_BAD_ACCESS", 0x1A10)


def test_a_watchdog_ends_what_does_not_answer():
    ended = "Namespace FRONTBOARD, Code 0x8badf00d"
    (crash,) = read({"crashDiagnostics": [diagnostic(stack(("RelayApp", 1)), signal=9, terminationReason=ended)]})
    assert (crash["domain"], crash["code"]) == ("hang", "0x8badf00d")


@pytest.mark.parametrize(
    ("document", "crashes"),
    [(CRASH, 1), (HANG, 0), ([PAYLOAD, PAYLOAD], 2), ({"hangDiagnostics": [HANG]}, 0)],
    ids=["alone", "hang", "list", "hangs"],
)
def test_a_document_may_have_any_of_them(document, crashes):
    assert len(read(document)) == crashes


@pytest.mark.parametrize("document", [{}, [1], {"callStack": {}}])
def test_other_documents_are_refused(document):
    with pytest.raises(Unfit):
        crashes_of(METRICKIT, json.dumps(document).encode())


@given(changed(json.dumps(PAYLOAD).encode()))
def test_no_damage_breaks_the_reading(data):
    survives(METRICKIT, data)
