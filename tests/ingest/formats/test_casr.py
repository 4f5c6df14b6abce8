"""Reports of casr, of its tools for gdb, sanitizers and languages."""

from __future__ import annotations

import json
import os
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleetcrash.clustering import Shape, sign
from ingest.formats.casr import CASREP
from ingest.formats.crashes import Unfit
from tests.ingest.formats.conftest import crashes_before_damage, crashes_of, head
from tests.ingest.formats.damage import changed, survives

SAMPLES = Path(os.environ.get("FLEETCRASH_SAMPLES", "../shared/samples"))

REPORT: dict[str, Any] = {
    "Date": "2026-11-20T17:17:17.598406+03:00",
    "Uname": "Linux build-7 6.1.0-21-amd64 #1 SMP PREEMPT_DYNAMIC x86_64 GNU/Linux",
    "OS": "Debian",
    "OSRelease": "12",
    "Architecture": "amd64",
    "ExecutablePath": "/home/rita/relay/build/relay",
    "ProcEnviron": ["TOKEN=geheim"],
    "ProcCmdline": "relay --password=geheim",
    "ProcMaps": ["0x400000 0x401000 0x1000 0x0 /home/rita/relay/build/relay"],
    "CrashSeverity": {
        "Type": "NOT_EXPLOITABLE", "ShortDescription": "SourceAv",
        "Description": "Access violation on source operand", "Explanation": "A read, likely.",
    },
    "Stacktrace": [
        "#0  __memmove_avx_unaligned_erms () at ../sysdeps/memmove.S:383",
        '#1  0x00000000005e3099 in relay::Queue::push (this=0x7fff, name="geheim") at /src/queue.cc:97',
        "#2  0x00007ffff7e29a31 in ?? () from /lib/x86_64-linux-gnu/libstdc++.so.6",
        "#3  main (argc=<optimized out>, argv=<optimized out>) at /src/main.cc:7",
    ],
    "Registers": {"rip": 6172825},
    "Disassembly": ["==> 0x5e3099: mov rax, [rax]"],
    "Package": "relay",
    "PackageVersion": "3.2-1",
    "AsanReport": [],
    "CrashLine": "/src/queue.cc:97",
    "Source": ["---> 97 push(geheim)"],
}  # fmt: skip

SANITIZED = {
    "CrashSeverity": {"Type": "EXPLOITABLE", "ShortDescription": "heap-buffer-overflow(write)", "Description": "x"},
    "Stacktrace": [
        "    #0 0x4f8e21 in __asan_memcpy (/opt/relay/relay+0x4f8e21)",
        "    #1 0x4f8e30 in relay::Queue::push(char const*) /src/queue.cc:97:3",
    ],
    "AsanReport": [
        "==7==ERROR: AddressSanitizer: heap-buffer-overflow on address 0x602000000018",
        "    #0 0x4f8e21 in __asan_memcpy (/opt/relay/relay+0x4f8e21)",
    ],
}
PYTHON = {
    "CrashSeverity": {"Type": "NOT_EXPLOITABLE", "ShortDescription": "ValueError", "Description": "no item"},
    "Stacktrace": ['File "/srv/relay/queue.py", line 9, in push', 'File "/srv/relay/main.py", line 3, in <module>'],
}
GO = {
    "CrashSeverity": {"Type": "NOT_EXPLOITABLE", "ShortDescription": "GoPanic", "Description": "index out of range"},
    "Stacktrace": ["relay/queue.(*Queue).Push(0xc000010000)", "      /src/queue.go:42 +0x1d"],
    "GoReport": [
        "panic: runtime error: index out of range [3] with length 3",
        "",
        "goroutine 1 [running]:",
        "relay/queue.(*Queue).Push(0xc000010000)",
        "\t/src/queue.go:42 +0x1d",
        "main.main()",
        "\t/src/main.go:9 +0x25",
    ],
}
JAVA = {
    "CrashSeverity": {"Type": "NOT_EXPLOITABLE", "ShortDescription": "IllegalStateException", "Description": "full"},
    "Stacktrace": ["at relay.Queue.push(Queue.java:13)", "at relay.Main.main(Main.java:3)"],
}
JS = {
    "CrashSeverity": {"Type": "NOT_EXPLOITABLE", "ShortDescription": "TypeError", "Description": "x"},
    "Stacktrace": ["at push (/srv/relay/lib/queue.js:3:9)", "at /srv/relay/main.js:1:1"],
}
CSHARP = {
    "CrashSeverity": {"Type": "NOT_EXPLOITABLE", "ShortDescription": "System.InvalidOperationException"},
    "Stacktrace": ["at Relay.Queue.Push(String name) in /src/Queue.cs:line 12", "at Relay.Program.Main()"],
}
RUST = {
    "CrashSeverity": {"Type": "NOT_EXPLOITABLE", "ShortDescription": "RustPanic", "Description": "x"},
    "Stacktrace": [],
    "RustReport": [
        "thread 'main' panicked at src/queue.rs:4:5:",
        "stack backtrace:",
        "   0: rust_begin_unwind",
        "   1: relay::queue::push",
        "             at ./src/queue.rs:4:5",
    ],
}

LUA = {
    "CrashSeverity": {"Type": "NOT_EXPLOITABLE", "ShortDescription": "Error", "Description": "full"},
    "Stacktrace": ["[C]: in function 'error'", "/srv/relay/lib/queue.lua:12: in method 'push'", "[C]: in ?"],
}


def record(**fields: Any) -> dict[str, Any]:
    (found,) = crashes_of(CASREP, json.dumps(REPORT | fields).encode())
    return found


def test_a_report_of_gdb():
    found = record()
    assert len(found.pop("crash_id")) == 32
    assert found == {
        "record": "crash",
        "host_id": "build-7",
        "occurred_at": "2026-11-20T17:17:17.598406+03:00",
        "os_type": "linux",
        "os_version": "6.1.0-21-amd64",
        "domain": "user",
        "code": "SourceAv",
        "module": "relay",
        "frames": [
            {"module": None, "function": "__memmove_avx_unaligned_erms", "offset": None},
            {"module": None, "function": "relay::Queue::push", "offset": None},
            {"module": "libstdc++.so.6", "function": None, "offset": None},
            {"module": None, "function": "main", "offset": None},
        ],
        "tags": {
            "exe": "relay", "message": "Access violation on source operand", "severity": "NOT_EXPLOITABLE",
            "crash_line": "/src/queue.cc:97", "os_name": "Debian 12", "package": "relay", "package_version": "3.2-1",
            "architecture": "amd64",
        },
    }  # fmt: skip
    assert sign(Shape.of(found)).family == "linux | memory | relay::Queue::push"


def test_nothing_of_the_environment_the_command_line_and_the_arguments_is_kept():
    assert "geheim" not in json.dumps(record())
    assert "rita" not in json.dumps(record())


@pytest.mark.parametrize(
    ("fields", "code", "frames", "place"),
    [
        (
            SANITIZED,
            "heap-buffer-overflow(write)",
            ["relay __asan_memcpy", " relay::Queue::push(char const*)"],
            "linux | memory | relay::Queue::push",
        ),
        (PYTHON, "ValueError", ["relay/queue.py push", "relay/main.py <module>"], "linux | ValueError | queue.py!push"),
        (GO, "GoPanic", [" relay/queue.(*Queue).Push", " main.main"], "linux | GoPanic | relay/queue.*Queue.Push"),
        (
            JAVA,
            "IllegalStateException",
            ["relay.Queue push", "relay.Main main"],
            "linux | IllegalStateException | relay.queue!push",
        ),
        (JS, "TypeError", ["lib/queue.js push", "relay/main.js "], "linux | TypeError | queue.js!push"),
        (
            CSHARP,
            "System.InvalidOperationException",
            ["Relay.Queue Push", "Relay.Program Main"],
            "linux | System.InvalidOperationException | relay.queue!Push",
        ),
        (
            RUST,
            "RustPanic",
            [" rust_begin_unwind", " relay::queue::push"],
            "linux | RustPanic | relay::queue::push",
        ),
    ],
)
def test_reports_of_other_tools(fields, code, frames, place):
    found = record(**fields)
    assert found["code"] == code
    assert [f"{one['module'] or ''} {one['function'] or ''}" for one in found["frames"]] == frames
    assert sign(Shape.of(found)).family == place


def test_the_message_is_the_line_that_says_what_is_wrong():
    assert record(**SANITIZED)["tags"]["message"].startswith("==7==ERROR: AddressSanitizer: heap-buffer-overflow")
    assert record(**GO)["tags"]["message"] == "panic: runtime error: index out of range [3] with length 3"


def test_a_target_that_does_not_end_hangs():
    assert record(CrashSeverity={"ShortDescription": "timeout"})["domain"] == "hang"


@pytest.mark.parametrize(
    ("code", "expected"),
    [("AbortSignal", "abort"), ("SafeFunctionCheck", "abort"), ("TrapSignal", "trap"), ("BadInstruction", "trap"),
     ("DestAvNearNull", "memory"), ("SegFaultOnPc", "memory"), ("FPE", "arithmetic"), ("StackOverflow", "stack"),
     ("double-free", "corruption"), ("stack-use-after-return(read)", "memory"), ("memory-leaks", "leak")],
)  # fmt: skip
def test_severities_are_classes_of_codes(code, expected):
    assert sign(Shape.of(record(CrashSeverity={"ShortDescription": code}))).family.split(" | ")[1] == expected


def test_other_systems_and_missing_parts():
    mac = record(Uname="Darwin mini-3 23.5.0 Darwin Kernel Version 23.5.0", OS="")
    assert (mac["os_type"], mac["host_id"], mac["os_version"]) == ("darwin", "mini-3", "23.5.0")
    bare = record(Uname="", OS="Ubuntu", ExecutablePath="", Stacktrace=[], Date="")
    assert (bare["os_type"], bare["host_id"], bare["occurred_at"]) == ("linux", "h-told", "2026-11-25T12:00:00Z")
    assert "module" not in bare
    assert "frames" not in bare


def test_of_a_report_people_may_keep_the_most_telling():
    kept = {name: REPORT[name] for name in ("CrashSeverity", "Stacktrace")}
    for few in (kept, {"CrashSeverity": REPORT["CrashSeverity"]}):
        data = json.dumps(few).encode()
        assert CASREP.recognises(head(data))
        (found,) = crashes_of(CASREP, data)
        assert (found["code"], found["os_type"], found["time_quality"]) == ("SourceAv", "linux", "log")
        assert len(found.get("frames", [])) == (4 if few is kept else 0)


def test_a_copy_is_the_same_crash_and_another_report_is_not():
    again = json.dumps(REPORT, indent=2, sort_keys=True).encode()
    assert crashes_of(CASREP, again)[0]["crash_id"] == record()["crash_id"]
    assert record(Date="2026-11-20T17:17:18.598406+03:00")["crash_id"] != record()["crash_id"]


def test_its_own_are_recognised_and_others_are_not():
    assert CASREP.recognises(head(json.dumps(REPORT).encode()))
    assert CASREP.recognises(head(json.dumps(REPORT, indent=1).encode()))
    for other in (b"", b"{}", b'{"record": "crash", "Date": 1}', b"ProblemType: Crash\nDate: x\nUname: y\n"):
        assert not CASREP.recognises(head(other))


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b'{"CrashSeverity": 3}', json.dumps(REPORT).encode()[:-1]])
def test_what_is_no_whole_report_is_refused(data):
    with pytest.raises(Unfit, match="casr"):
        crashes_of(CASREP, data)


@given(st.binary(max_size=200) | changed(json.dumps(REPORT | SANITIZED).encode()))
def test_no_bytes_break_it(data):
    survives(CASREP, data)


def test_recorded_ones_are_clustered_as_their_crash_line_says():
    paths = sorted((SAMPLES / "casr").glob("*/*.casrep"))
    if not paths:
        pytest.skip(f"no samples at {SAMPLES}; FLEETCRASH_SAMPLES names their folder")
    families, labels = defaultdict(set), defaultdict(set)
    for path in paths:
        (found,) = crashes_of(CASREP, path.read_bytes())
        family, label = sign(Shape.of(found)).family, found["tags"].get("crash_line")
        if label:
            families[label].add(family)
            labels[family].add(label)
    assert len(families) == len(labels) == 7, "one cluster a crash line, and none of two"


@pytest.mark.parametrize(
    "joined",
    [
        lambda reports: "\n".join(json.dumps(one) for one in reports),
        lambda reports: "\n".join(json.dumps(one, indent=2) for one in reports),
        lambda reports: "\r\n\r\n".join(json.dumps(one, indent=1) for one in reports) + "\r\n",
        lambda reports: json.dumps(reports),
        lambda reports: json.dumps(reports, indent=2),
    ],
)
def test_reports_one_behind_another_each_count(joined):
    reports = [REPORT, {**REPORT, **SANITIZED, "Source": ["}", "{", "} {"]}, {**REPORT, **PYTHON}]
    data = joined(reports).encode()
    assert CASREP.recognises(head(data))
    assert crashes_of(CASREP, data, block_bytes=83) == [
        crashes_of(CASREP, json.dumps(one).encode())[0] for one in reports
    ]


def test_a_damaged_report_keeps_those_beside_it():
    found, damage = crashes_before_damage(CASREP, b"\n".join([json.dumps(REPORT).encode(), b'{"Date": ', b"}", b"{}"]))
    assert (len(found), damage.code) == (1, "bad_casrep")


def test_a_report_may_stand_among_text():
    whole = json.dumps(SANITIZED, indent=2)
    inner = whole[1 : whole.rindex("}")]
    cut = inner[: inner.index('"AsanReport"')]
    for said in (f"Our fuzzer found:\n```{whole}\n```\n", f"An excerpt:\n...\n{cut}\n...\n"):
        assert CASREP.recognises(head(said.encode()))
        one = crashes_of(CASREP, f"{said}\nAnd one more:\n{whole}\n".encode())
        assert [(crash["code"], crash["module"]) for crash in one] == [("heap-buffer-overflow(write)", "relay")] * 2


def test_a_word_of_a_report_in_text_is_none():
    said = b'The field "CrashSeverity": {"Type": "x"} has "ShortDescription": "y"\n'
    assert not CASREP.recognises(head(said))


def test_frames_of_gdb_are_in_the_files_that_the_process_had_at_their_addresses():
    maps = [
        "          Start Addr           End Addr       Size     Offset objfile",
        "            0x400000           0x500000   0x100000        0x0 /opt/relay/relay",
        "            0x500000           0x600000   0x100000   0x100000 r-xp /opt/relay/relay",
        "      0x7ffff7e00000     0x7ffff7f00000   0x100000        0x0 /lib/x86_64-linux-gnu/libstdc++.so.6.0.30",
        "      0x7ffffffde000     0x7ffffffff000    0x21000        0x0 [stack]",
    ]
    stack = [
        *REPORT["Stacktrace"][:2],
        "#2  relay::Queue::pop (this=0x7fff) at /src/queue.cc:12",
        "#3  0x00007ffff7e29a31 in ?? () from /lib/x86_64-linux-gnu/libstdc++.so.6",
        "#4  main (argc=<optimized out>) at /src/main.cc:7",
    ]
    crash = record(ProcMaps=maps, Registers={"rip": 0x7FFFF7E00123}, Stacktrace=stack)
    assert [(frame["module"], frame["offset"]) for frame in crash["frames"]] == [
        ("libstdc++.so.6.0.30", 0x123), ("relay", 0x1E3099), ("relay", 0x1E3099), ("libstdc++.so.6", 0x29A31),
        (None, None),
    ]  # fmt: skip


def test_a_report_that_breaks_off_behind_its_stack_is_the_same_crash():
    whole = json.dumps(REPORT)
    (found,), damage = crashes_before_damage(CASREP, whole[: whole.index('"Disassembly"')].encode())
    assert damage.code == "bad_casrep"
    assert (found["crash_id"], found["module"]) == (record()["crash_id"], record()["module"])
    for end in ('"#3  main', '"Registers"', '"Stacktrace"'):
        found, damage = crashes_before_damage(CASREP, whole[: whole.index(end)].encode())
        assert (found, damage.code) == ([], "bad_casrep"), end


def test_a_whole_report_with_its_stack_at_the_end_is_a_crash_whatever_is_behind():
    last = {name: REPORT[name] for name in sorted(REPORT, key=lambda name: name == "Stacktrace")}
    (found,), damage = crashes_before_damage(CASREP, (json.dumps(last) + "\n\nSeen again today.\n").encode())
    assert (found["crash_id"], damage.code) == (record()["crash_id"], "bad_casrep")
    (padded,) = crashes_of(CASREP, (json.dumps(last) + "\0" * 512).encode())  # by what stores it, which is no damage
    assert padded["crash_id"] == record()["crash_id"]


def test_a_report_of_lua():
    found = record(**LUA)
    assert (found["code"], found["module"], found["frames"][0]["function"]) == ("Error", "lib/queue.lua", "push")
