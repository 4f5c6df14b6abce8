"""What minidump-stackwalk prints, as JSON and as text, of several versions and systems."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.formats.crashes import Told, Unfit
from ingest.formats.stackwalk import STACKWALK as JSON
from ingest.formats.stackwalk_text import STACKWALK_TEXT as TEXT
from tests.ingest.formats.conftest import AT, TOLD, crashes_of, head
from tests.ingest.formats.damage import changed, survives

SAMPLES = Path(os.environ.get("FLEETCRASH_SAMPLES", "../shared/samples"))

FRAMES = [
    {
        "frame": 0, "trust": "context", "module": "relay.dll", "module_offset": "0x0000000000001d72",
        "offset": "0x00007ff601d71d72", "function": None, "registers": {"rip": "0x00007ff601d71d72"},
    },
    {
        "frame": 1, "trust": "cfi", "module": "agent.exe", "module_offset": "0x0000000000000200",
        "offset": "0x00007ff600000200", "function": "run(int)", "file": "c:\\src\\run.cc", "line": 7,
        "inlines": [{"function": "push", "file": "c:\\src\\push.h", "line": 1}],
    },
    {"frame": 2, "trust": "scan", "module": None, "module_offset": None, "offset": "0x0000000000000001"},
    {"frame": 3, "trust": "cfi", "module": "ntdll.dll", "module_offset": "0x10", "function": "<unknown in ntdll.dll>"},
]  # fmt: skip
DUMP: dict[str, Any] = {
    "status": "OK",
    "pid": 3932,
    "crash_info": {
        "type": "EXCEPTION_ACCESS_VIOLATION_READ", "address": "0x0000000000000008", "crashing_thread": 1,
        "assertion": "queue is empty",
    },
    "crashing_thread": {"frame_count": 4, "frames": FRAMES, "thread_name": "worker", "threads_index": 1},
    "system_info": {"os": "Windows NT", "os_ver": "10.0.22631 3880", "cpu_arch": "amd64", "cpu_count": 8},
    "process_uptime": 41,
    "thread_count": 2,
    "threads": [{"frames": []}, {"frames": FRAMES, "thread_name": "worker"}],
    "main_module": 0,
    "modules": [
        {"base_addr": "0x00007ff600000000", "filename": "agent.exe", "version": "7.11.1"},
        {"base_addr": "0x00007ff601d70000", "filename": "C:\\Program Files\\relay\\relay.dll", "version": "3.2.1.0"},
    ],
    "unloaded_modules": [],
}  # fmt: skip

PRINTED = """\
2026-11-25 INFO reading agent.dmp
Operating system: Linux
                  0.0.0 Linux 6.1.0-21-amd64 #1 SMP PREEMPT_DYNAMIC Debian 6.1.90-1 (2024-05-03) x86_64
CPU: amd64
     family 6 model 158 stepping 12
     1 CPU

GPU: UNKNOWN

Crash reason:  SIGSEGV /SEGV_MAPERR
Crash address: 0x8
Process uptime: not available

Thread 0 worker (crashed)
 0  librelay.so + 0x1d72
    rax = 0x0000000000000000   rdx = 0x0000000000000000
    rip = 0x00007f5c988d1d72
    Found by: given as instruction pointer in context
 1  agent!relay::push(item*, std::vector<int> const&) [push.cc : 10 + 0x4]
    rip = 0x0000560ac97c988
    Found by: call frame info
 2  agent!run + 0x1f
    Found by: call frame info
 3  0x7f5c98000001
    Found by: stack scanning

Thread 1
 0  libc.so.6 + 0x20d4c

Loaded modules:
0x5600ac97b000 - 0x5600ac97dfff  agent  ???  (main)
0x7f5c988d0000 - 0x7f5c98a9efff  librelay.so  3.2.1  (WARNING: No symbols, librelay.so, 0A1B)
"""
PIPED = """\
OS|Mac OS X|14.5.0 23F79
CPU|arm64|family 6|8
GPU|||
Crash|EXC_BAD_ACCESS / KERN_INVALID_ADDRESS|0x8|1
Module|agent|7.11.1|agent|0A1B|0x100000000|0x100010000|1
Module|librelay.dylib|3.2.1|librelay.dylib|0A1C|0x200000000|0x200010000|0

0|0|libsystem_kernel.dylib||||0x99
1|0|librelay.dylib||||0x1d72
1|1|agent|run(int)|/src/run.cc|7|0x1f
1|2|||||
"""


def record(document: Any) -> dict[str, Any]:
    (found,) = crashes_of(JSON, json.dumps(document).encode())
    return found


def printed(said: str) -> dict[str, Any]:
    (found,) = crashes_of(TEXT, said.encode())
    return found


def with_crash(**fields: Any) -> dict[str, Any]:
    return {**DUMP, "crash_info": {**DUMP["crash_info"], **fields}}


def with_system(os: str, os_ver: str | None) -> dict[str, Any]:
    return {**DUMP, "system_info": {"os": os, "os_ver": os_ver}}


@pytest.mark.parametrize("said", [PRINTED, PIPED], ids=["printed", "piped"])
def test_texts_that_were_put_one_behind_the_other_are_each_read(said):
    other = said.replace("0x8", "0x18")
    (one,), (two,) = (crashes_of(TEXT, part.encode()) for part in (said, other))
    assert crashes_of(TEXT, f"{said}\n{other}\n{said[:40]}".encode()) == [one, two]


@pytest.mark.parametrize(("pointer", "further"), [("rip", 0x1F), ("pc", None)])
def test_a_printed_function_is_at_the_pointer_and_with_it_those_inlined_into_it(pointer, further):
    said = (
        "Operating system: Mac OS X\n                  11.6.7 20G630\nCPU: amd64\n\n"
        "Crash reason:  SIGBUS\nCrash address: 0x8\n\nThread 0 main (crashed)\n"
        " 0  relay!push [a.rs : 15]\n    Found by: inlining\n 1  relay!poll [b.rs : 1 + 0x0]\n"
        f"    {pointer} = 0x40001d\n    Found by: given as instruction pointer in context\n"
        f" 2  relay!turn [c.rs : 3]\n    Found by: inlining\n 3  relay!main + 0x28\n    {pointer} = 0x400020\n"
        "    Found by: call frame info\n\nLoaded modules:\n0x400000 - 0x40ffff  relay  ???  (main)\n"
    )
    found = printed(said)
    assert [(frame["function"], frame["offset"]) for frame in found["frames"]] == [
        ("push", 0x1D), ("poll", 0x1D), ("turn", further), ("main", further)
    ]  # fmt: skip
    assert (found["module"], found["module_offset"]) == ("relay", 0x1D)


def test_a_dump_as_json():
    found = record(DUMP)
    assert len(found.pop("crash_id")) == 32
    assert found == {
        "record": "crash",
        "host_id": "h-told",
        "occurred_at": "2026-11-25T12:00:00Z",
        "time_quality": "log",
        "os_type": "windows",
        "os_version": "10.0.22631",
        "os_build": "22631.3880",
        "domain": "user",
        "code": "EXCEPTION_ACCESS_VIOLATION_READ",
        "module": "relay.dll",
        "module_version": "3.2.1.0",
        "module_offset": 0x1D72,
        "frames": [
            {"module": "relay.dll", "function": None, "offset": 0x1D72},
            {"module": "agent.exe", "function": "push", "offset": 0x200},
            {"module": "agent.exe", "function": "run(int)", "offset": 0x200},
            {"module": None, "function": None, "offset": None},
            {"module": "ntdll.dll", "function": None, "offset": 0x10},
        ],
        "tags": {
            "exe": "agent.exe", "pid": "3932", "message": "queue is empty", "address": "0x0000000000000008",
            "thread": "worker", "cpu": "amd64", "process_uptime_s": "41",
        },
    }  # fmt: skip


def test_the_same_dump_is_one_crash_however_it_is_written_and_with_whatever_symbols():
    compact, pretty = json.dumps(DUMP, separators=(",", ":")), json.dumps(DUMP, indent=1, sort_keys=True)
    symbols = [{**FRAMES[0], "function": "relay::push"}, *FRAMES[1:]]
    with_symbols = json.dumps({**DUMP, "crashing_thread": {"frames": symbols}})
    ids = {crashes_of(JSON, one.encode())[0]["crash_id"] for one in (compact, pretty, "\ufeff" + pretty, with_symbols)}
    assert len(ids) == 1
    elsewhere = Told(AT, "log", "h-2")
    assert crashes_of(JSON, compact.encode(), told=elsewhere)[0]["crash_id"] not in ids
    assert record({**DUMP, "pid": 3933})["crash_id"] not in ids


def test_older_ones_tell_the_thread_by_its_number_alone():
    older = {name: value for name, value in DUMP.items() if name != "crashing_thread"}
    assert len(record(older)["frames"]) == 5
    assert "frames" not in record({**older, "threads": []})
    assert "frames" not in record({**older, "crash_info": {"type": "SIGSEGV", "crashing_thread": None}})


def test_socorros_report_holds_one_and_tells_its_id_and_time():
    found = record({"uuid": "0a1b-2c", "crash_time": 1721362202, "product": "Relay", "json_dump": DUMP})
    assert (found["crash_id"], found["occurred_at"]) == ("0a1b-2c", "2024-07-19T04:10:02Z")
    assert "time_quality" not in found
    found = record({"uuid": "0a1b-2c", "client_crash_date": "2024-07-19 04:10:02+00:00", "json_dump": DUMP})
    assert found["occurred_at"] == "2024-07-19 04:10:02+00:00"


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ("SIGSEGV /SEGV_MAPERR", "SIGSEGV"),
        ("SIGABRT / SI_TKILL", "SIGABRT"),
        ("EXC_BAD_ACCESS / KERN_INVALID_ADDRESS", "EXC_BAD_ACCESS"),
        ("EXC_SOFTWARE / SIGABRT", "SIGABRT"),
        ("EXC_CRASH / SIGABRT", "SIGABRT"),
        ("EXC_CRASH / SIGABRT / 0x0", "SIGABRT"),
        ("EXCEPTION_STACK_BUFFER_OVERRUN / FAST_FAIL_FATAL_APP_EXIT", "EXCEPTION_STACK_BUFFER_OVERRUN"),
        ("0x00000050", "0x50"),
        ("0xC06D007F / 0x00000000", "0xc06d007f"),
        ("unknown 0xe0000001", "0xe0000001"),
        ("EXC_RESOURCE / RESOURCE_TYPE_CPU / FLAVOR_CPU_MONITOR_FATAL interval: 180s", "EXC_RESOURCE"),
    ],
)
def test_the_code_is_the_reason_without_what_it_adds(said, code):
    assert record(with_crash(type=said))["code"] == code


@pytest.mark.parametrize(
    "reason",
    [
        None, "DUMP_REQUESTED", "No crash", "Simulated Exception", "0x0517a7ed", "unknown 0x43507378",
        "EXC_RESOURCE / RESOURCE_TYPE_WAKEUPS / FLAVOR_WAKEUPS_MONITOR observation interval: 300s",
        "EXC_RESOURCE / RESOURCE_TYPE_CPU / FLAVOR_CPU_MONITOR interval: 180s",
    ],
)  # fmt: skip
def test_a_dump_of_a_program_that_went_on_is_no_crash(reason):
    assert crashes_of(JSON, json.dumps(with_crash(type=reason)).encode()) == []


@pytest.mark.parametrize(
    ("system", "said", "expected"),
    [
        ("Windows NT", "10.0.22631 3880", ("windows", "10.0.22631", "22631.3880")),
        ("Windows NT", "6.1.7601 Service Pack 1", ("windows", "6.1.7601", None)),
        ("Windows NT", "10.0.19045", ("windows", "10.0.19045", None)),
        ("Mac OS X", "14.5.0 23F79", ("darwin", "14.5.0", "23F79")),
        ("Linux", "0.0.0 Linux 5.4.0-42-generic #46-Ubuntu SMP x86_64", ("linux", "5.4.0-42-generic", None)),
        ("Linux", "4.9.60-linuxkit-aufs #1 SMP Mon Nov 6", ("linux", "4.9.60-linuxkit-aufs", None)),
        ("Android", "0.0.0 Linux 4.14.186-perf+ #1 SMP PREEMPT", ("linux", "4.14.186-perf+", None)),
        ("Linux", "0.0.0", ("linux", None, None)),
        ("Linux", None, ("linux", None, None)),
        ("0x00008204", "1.2", ("0x00008204", "1.2", None)),
    ],
)
def test_versions_of_systems(system, said, expected):
    found = record(with_system(system, said))
    assert (found["os_type"], found.get("os_version"), found.get("os_build")) == expected


def test_a_dump_as_text():
    found = printed(PRINTED)
    assert len(found.pop("crash_id")) == 32
    assert found == {
        "record": "crash",
        "host_id": "h-told",
        "occurred_at": "2026-11-25T12:00:00Z",
        "time_quality": "log",
        "os_type": "linux",
        "os_version": "6.1.0-21-amd64",
        "domain": "user",
        "code": "SIGSEGV",
        "module": "librelay.so",
        "module_version": "3.2.1",
        "module_offset": 0x1D72,
        "frames": [
            {"module": "librelay.so", "function": None, "offset": 0x1D72},
            {"module": "agent", "function": "relay::push(item*, std::vector<int> const&)", "offset": None},
            {"module": "agent", "function": "run", "offset": None},
            {"module": None, "function": None, "offset": None},
        ],
        "tags": {"exe": "agent", "address": "0x8", "thread": "worker", "cpu": "amd64"},
    }
    assert printed(PRINTED.replace("\n", "\r\n")) | {"crash_id": ""} == found | {"crash_id": ""}
    assert printed(PRINTED.replace("worker (crashed)", " (crashed) - tid: 7"))["frames"] == found["frames"]


def test_a_dump_as_breakpad_writes_it_for_programs():
    found = printed(PIPED)
    assert (found["os_type"], found["os_version"], found["os_build"]) == ("darwin", "14.5.0", "23F79")
    assert (found["code"], found["module"], found["module_version"]) == ("EXC_BAD_ACCESS", "librelay.dylib", "3.2.1")
    assert found["module_offset"] == 0x1D72
    assert found["frames"][1:] == [
        {"module": "agent", "function": "run(int)", "offset": None},
        {"module": None, "function": None, "offset": None},
    ]
    assert found["tags"] == {"exe": "agent", "address": "0x8"}


def test_text_whose_start_people_left_out():
    said = PRINTED[PRINTED.index("Crash reason") :]
    assert TEXT.recognises(head(said.encode()))
    whole, found = printed(PRINTED), printed(said)
    assert (found["os_type"], found["code"], found["frames"]) == ("linux", whole["code"], whole["frames"])


def test_of_a_text_people_may_keep_the_thread_that_crashed_alone():
    said = "Where it broke:\n\n" + PRINTED[PRINTED.index("Thread 0 worker") :].partition("\n\n")[0]
    assert TEXT.recognises(head(said.encode()))
    whole, found = printed(PRINTED), printed(said)
    assert (found["os_type"], found.get("code"), found["tags"]["thread"]) == ("linux", None, "worker")
    assert [one.get("function") for one in found["frames"]] == [one.get("function") for one in whole["frames"]]
    assert printed(said.replace("librelay.so", "relay.dll"))["os_type"] == "windows"
    assert "os_type" not in printed(said.replace("librelay.so", "librelay")), "which it does not tell"
    for other in (said.replace("(crashed)", ""), said.partition("    rax")[0]):
        assert not TEXT.recognises(head(other.encode()))


def test_text_without_a_crash():
    no_crash = PRINTED.partition("Crash reason")[0] + "No crash\nProcess uptime: 3 seconds\n"
    assert crashes_of(TEXT, no_crash.encode()) == []
    assert (
        crashes_of(TEXT, PIPED.replace("Crash|EXC_BAD_ACCESS / KERN_INVALID_ADDRESS", "Crash|No crash").encode()) == []
    )
    with pytest.raises(Unfit, match="ends before"):
        crashes_of(TEXT, PRINTED.partition("Crash reason")[0].encode())


@pytest.mark.parametrize(
    ("format", "data"),
    [(JSON, json.dumps(DUMP)), (JSON, json.dumps(DUMP, indent=2)), (TEXT, PRINTED), (TEXT, PIPED),
     (TEXT, PRINTED.replace("\n", "\r\n"))],
)  # fmt: skip
def test_its_own_files_are_recognised(format, data):
    assert format.recognises(head(data.encode()))
    assert not {JSON: TEXT, TEXT: JSON}[format].recognises(head(data.encode()))


@pytest.mark.parametrize(
    "data",
    [
        b'{"record": "crash", "crash_id": "c", "tags": {"crash_info": "x"}}\n',
        b'{"record":"crash","frames":[{"module":"a","function":"crash_info"}]}\n',
        b'{"event_id": "0a", "platform": "native", "threads": {"values": []}}',
        b"crash_id,host_id,occurred_at\n",
        b"Operating system: the one that we have\n",
        b"",
    ],
)
def test_others_are_not(data):
    assert not JSON.recognises(head(data))
    assert not TEXT.recognises(head(data))


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b'{"crash_info": null}', b'{"crash_info": {"ty'])
def test_what_is_no_whole_document_is_refused(data):
    with pytest.raises(Unfit, match="minidump-stackwalk"):
        crashes_of(JSON, data)


@given(st.binary(max_size=200) | changed(json.dumps(DUMP).encode()))
def test_no_bytes_break_json(data):
    survives(JSON, data)


@given(st.binary(max_size=200) | changed(PRINTED.encode()) | changed(PIPED.encode()))
def test_no_bytes_break_text(data):
    survives(TEXT, data)


def test_text_may_end_anywhere():
    for said in (PRINTED, PIPED):
        for end in range(0, len(said), 7):
            survives(TEXT, said[:end].encode())


@pytest.mark.parametrize("name", ["json-pretty.json", "linux_json_pretty.json"])
def test_recorded_ones(name):
    path = SAMPLES / "stackwalk_json" / name
    if not path.exists():
        pytest.skip(f"no samples at {SAMPLES}; FLEETCRASH_SAMPLES names their folder")
    assert JSON.recognises(head(path.read_bytes()))
    (found,) = crashes_of(JSON, path.read_bytes())
    assert found["frames"][0]["offset"] == found["module_offset"]


def test_people_add_remarks_behind_lines():
    said = """\
Operating system: Linux        // the host
                  0.0.0 Linux 6.1.0-21-amd64 #1 SMP x86_64
CPU: amd64

Crash reason:  SIGSEGV /SEGV_MAPERR    // why
Crash address: 0x0

Thread 0 (crashed)
 0  librelay.so + 0x16260    // here
    rip = 0x000073c7aed68260
 1  libqueue.so + 0x1e28c  (called by)
"""
    [crash] = crashes_of(TEXT, said.encode())
    assert (crash["code"], crash["module"], crash["module_offset"]) == ("SIGSEGV", "librelay.so", 0x16260)
    assert [frame["module"] for frame in crash["frames"]] == ["librelay.so", "libqueue.so"]


@pytest.mark.parametrize("remark", ["   where it was", "  // where it was"])
def test_a_remark_needs_no_mark(remark):
    said = f"Crash reason:  SIGSEGV /SEGV_MAPERR    why\nCrash address: 0x0\n\nThread 0 (crashed){remark}\n"
    [crash] = crashes_of(TEXT, f"{said} 0  librelay.so + 0x16260{remark}\n    rip = 0x1\n".encode())
    assert (crash["code"], crash["module"]) == ("SIGSEGV", "librelay.so")


def test_firefox_keeps_a_report_beside_the_dump_whose_frames_name_no_module():
    extra = {
        "ProductName": "Relay",
        "CrashTime": "1795608000",
        "MozCrashReason": "MOZ_RELEASE_ASSERT(queue)",
        "StackTraces": {
            "status": "OK",
            "crash_info": {"type": "SIGSEGV", "address": "0x8", "crashing_thread": 1},
            "main_module": 0,
            "modules": [
                {"base_addr": "0x400000", "end_addr": "0x500000", "filename": "relay"},
                {"base_addr": "0x7f0000", "end_addr": "0x7f9000", "filename": "libqueue.so", "version": "4.2"},
            ],
            "threads": [
                {"frames": []},
                {"frames": [
                    {"module_index": 1, "trust": "context", "ip": "0x7f1234"},
                    {"module_index": 9, "trust": "cfi", "ip": "0x401234"},
                    {"trust": "scan", "ip": "0x1"},
                    {"module_index": 0, "trust": "cfi", "ip": "0x1"},
                ]},
            ],
        },
    }  # fmt: skip
    data = json.dumps(extra).encode()
    assert JSON.recognises(head(data))
    (crash,) = crashes_of(JSON, data)
    assert (crash["code"], crash["os_type"], crash["occurred_at"]) == ("SIGSEGV", "linux", "2026-11-25T12:00:00Z")
    assert (crash["module"], crash["module_offset"], crash["module_version"]) == ("libqueue.so", 0x1234, "4.2")
    assert [frame.get("module") for frame in crash["frames"]] == ["libqueue.so", None, None, "relay"]
    assert (crash["tags"]["exe"], crash["tags"]["message"]) == ("relay", "MOZ_RELEASE_ASSERT(queue)")


def test_code_of_a_module_that_was_unloaded_names_it():
    gone = [{"module": "shell.dll", "offsets": ["0x0000000000001010", "0x0000000000001020"]}]
    frames = [{**FRAMES[2], "unloaded_modules": gone}, *FRAMES[1:]]
    found = record({**DUMP, "crashing_thread": {"frames": frames}})
    assert (found["module"], found["module_offset"]) == ("shell.dll", 0x1010)
    found = printed(
        PRINTED.replace(" 0  librelay.so + 0x1d72\n", " 0  0x7f5c98001010 (unloaded shell.dll@0x1010|0x1020)\n")
    )
    assert (found["module"], found["module_offset"]) == ("shell.dll", 0x1010)


def test_a_program_that_did_not_answer_is_a_hang():
    assert record(with_crash(type="0xcfffffff / 0x00000000"))["domain"] == "hang"


def test_json_that_breaks_off_gives_what_is_whole():
    whole = json.dumps(DUMP).encode()
    records = JSON.read(whole[: whole.index(b'"system_info"')], TOLD)
    assert (records.read, records.damage is not None and records.damage.code) == (1, "bad_stackwalk")
    found = json.loads(bytes(records.lines))
    assert (found["os_type"], found["code"], found["module"]) == (
        "windows", "EXCEPTION_ACCESS_VIOLATION_READ", "relay.dll",
    )  # fmt: skip
    with pytest.raises(Unfit):
        JSON.read(whole[: whole.index(b'"address"')].replace(b'"type"', b'"kind"'), TOLD)


def test_documents_may_stand_one_behind_the_other():
    other = {**DUMP, "pid": 7}
    for between in ("", "\n", "\r\n\r\n"):
        for indent in (None, 1):
            data = between.join(json.dumps(one, indent=indent) for one in (DUMP, other, DUMP)).encode()
            assert [one["tags"]["pid"] for one in crashes_of(JSON, data)] == ["3932", "7", "3932"]
    records = JSON.read(json.dumps(DUMP).encode() + json.dumps(other).encode()[:-40], TOLD)
    assert (records.read, records.damage is None) == (2, False)


def test_documents_may_stand_in_a_list():
    listed = json.dumps([DUMP, {**DUMP, "pid": 7}], indent=1).encode()
    assert JSON.recognises(head(listed))
    assert [one["tags"]["pid"] for one in crashes_of(JSON, listed)] == ["3932", "7"]
    records = JSON.read(listed[:-40], TOLD)
    assert (records.read, records.damage is None) == (2, False)
