"""Crashes in the logs of Unreal Engine and Unity."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.formats.format import HEAD_BYTES
from ingest.formats.game_engines import GAME_ENGINES as FORMAT
from tests.ingest.formats.conftest import crashes_of, head
from tests.ingest.formats.damage import changed, survives

STAMP = "[2024.07.19-04.10.02:731][ 12]"
UNREAL = f"""\
Log file open, 07/19/24 04:01:00
LogInit: Display: Running engine for game: Relay
{STAMP}LogWindows: Error: === Critical error: ===
{STAMP}LogWindows: Error:
{STAMP}LogWindows: Error: Fatal error!
{STAMP}LogWindows: Error:
{STAMP}LogWindows: Error: Unhandled Exception: EXCEPTION_ACCESS_VIOLATION reading address 0x0000000000000020
{STAMP}LogWindows: Error:
{STAMP}LogWindows: Error: [Callstack] 0x00007ff610000e03 Relay-Core.dll!TArray<FItem>::operator[]() [D:\\src\\Item.h:12]
{STAMP}LogWindows: Error: [Callstack] 0x00007ff6100006e4 Relay-Game.dll!UQueue::Push() [D:\\src\\Queue.cpp:80]
{STAMP}LogWindows: Error: [Callstack] 0x00007ffa10000b40 kernel32.dll!UnknownFunction []
{STAMP}LogWindows: Error:
{STAMP}LogExit: Executing StaticShutdownAfterError
"""
ASSERTED = f"""\
{STAMP}LogWindows: Error: === Critical error: ===
{STAMP}LogWindows: Error:
{STAMP}LogWindows: Error: Assertion failed: Index >= 0 [File:D:\\src\\Queue.cpp] [Line: 81]
{STAMP}LogWindows: Error:
{STAMP}LogWindows: Error: [Callstack] 0x00007ff6100006e4 Relay-Game.dll!UQueue::Push() [D:\\src\\Queue.cpp:81]
"""
BARE = """\
Unhandled Exception: EXCEPTION_ACCESS_VIOLATION writing address 0x0000000000000000

RelayGame
RelayGame
kernel32
ntdll

It happens at each start.
"""
SHOWN = """\
Assertion failed: Index < Num() [File:D:/src/Queue.h] [Line: 44]

Relay_Game!UQueue::Pop() [D:\\src\\Queue.cpp:97]
Relay_Game!UQueue::Tick() [D:\\src\\Queue.cpp:41]
"""
SERVER = """\
LogCore: === Critical error: ===
Unhandled Exception: SIGSEGV: invalid attempt to read memory at address 0x0000000000000020

LogCore: Error: [Callstack] 0x00000000102d8a05 RelayServer!UQueue::Push() [/srv/src/Queue.cpp:80]
LogCore: Error: [Callstack] 0x00007f2a10031d90 libc.so.6!UnknownFunction(0x31d8f)
"""
PLAYER = """\
Initialize engine version: 2021.3.5f1 (40eb3a945986)
Direct3D:
    Version:  Direct3D 11.0 [level 11.1]
Crash!!!
SymInit: Symbol-SearchPath: 'D:/Relay;.;', symOptions: 534, UserName: 'rita'
OS-Version: 10.0.19045 () 0x100-0x1
D:\\Relay\\Relay.exe:Relay.exe (00007FF710000000), size: 675840 (result: 0), SymType: '-exported-', PDB: 'D:\\Relay\\Relay.exe', fileVersion: 2021.3.5.1
D:\\Relay\\UnityPlayer.dll:UnityPlayer.dll (00007FFC10000000), size: 29970432 (result: 0), SymType: '-exported-', PDB: 'D:\\Relay\\UnityPlayer.dll', fileVersion: 2021.3.5.2

========== OUTPUTTING STACK TRACE ==================

  ERROR: SymGetSymFromAddr64, GetLastError: 'Attempt to access invalid address.' (Address: 00007FFC10001B2C)
0x00007FFC10001B2C (UnityPlayer) (function-name not available)
0x00007FFC10002B2C (UnityPlayer) UnityMain
0x0000020A10003B2C (Mono JIT Code) Queue:Push (int)
0x00007FFCF0007344 (KERNEL32) BaseThreadInitThunk

========== END OF STACKTRACE ===========
"""  # noqa: E501 - as long as they are
STACK = """\
========== OUTPUTTING STACK TRACE ==================

0x00007FFB1000A799 (KERNELBASE) RaiseException
0x00007FFAA0001158 (relay) [d:\\src\\queue.c:201] queue_push
0x00007FFB10017BD4 (KERNEL32) BaseThreadInitThunk

========== END OF STACKTRACE ===========
"""
ERROR_LOG = """\
Relay by Acme [version: Unity 2019.2.17f1_8e603399ca02]

UnityPlayer.dll caused an Access Violation (0xc0000005)
  in module UnityPlayer.dll at 0033:1000a384.

Error occurred at 2024-07-19_041002.
D:\\Relay\\Relay.exe, run by rita.

79% physical memory in use.
Write to location 0000000410001030 caused an access violation.
"""
LOGS = {
    "unreal": UNREAL, "asserted": ASSERTED, "bare": BARE, "shown": SHOWN, "server": SERVER, "player": PLAYER,
    "stack": STACK, "error": ERROR_LOG,
}  # fmt: skip


def record(said: str) -> dict[str, Any]:
    (found,) = crashes_of(FORMAT, said.encode())
    return found


def steps(found: dict[str, Any]) -> list[tuple[Any, ...]]:
    return [(one["module"], one["function"], one["offset"]) for one in found["frames"]]


def test_an_exception_in_unreals_log():
    found = record(UNREAL)
    assert (found["os_type"], found["domain"], found["code"]) == ("windows", "user", "EXCEPTION_ACCESS_VIOLATION")
    assert (found["occurred_at"], found["time_quality"]) == ("2024-07-19T04:10:02.731Z", "log")
    assert found["module"] == "Relay-Core.dll"
    assert steps(found) == [
        ("Relay-Core.dll", "TArray<FItem>::operator[]", None),
        ("Relay-Game.dll", "UQueue::Push", None),
        ("kernel32.dll", None, None),
    ]


@pytest.mark.parametrize(
    ("before", "keeps_stamp"),
    [
        ("UATHelper: Packaging (Windows (64-bit)):   ", True),
        ("LogPlayLevel: Error: ", True),
        ("PackagingResults: Error: ", False),
        (f"{STAMP}UATHelper: Cooking (Windows):   ", False),
    ],
)
def test_an_editor_relays_what_it_runs(before, keeps_stamp):
    lines = UNREAL.splitlines() if keeps_stamp else [line.replace(STAMP, "") for line in UNREAL.splitlines()]
    said = "".join(f"{before}{line}\n" for line in lines)
    assert FORMAT.recognises(head(said.encode()))
    whole, found = record(UNREAL), record(said)
    assert (found["code"], found["module"], found["frames"]) == (whole["code"], whole["module"], whole["frames"])
    assert (found["occurred_at"] == whole["occurred_at"]) == (keeps_stamp or STAMP in before)
    again = "".join(f"PackagingResults: Error: {line}\n" for line in lines)
    assert record(said + again)["crash_id"] == found["crash_id"], "it tells it twice"
    assert len(crashes_of(FORMAT, (said + again.replace("0x00007ff6", "0x00007ff7")).encode())) == 2


def test_an_assertion_is_told_by_its_expression():
    found = record(ASSERTED)
    assert (found["code"], found["os_type"]) == ("Assertion failed: Index >= 0", "windows")
    assert found["tags"]["source"] == "Queue.cpp:81"
    assert len(found["frames"]) == 1
    place = " [File:D:\\src\\Queue.cpp] [Line: 81]"
    fatal = ASSERTED.replace(f"Assertion failed: Index >= 0{place}", f"Fatal error:{place}\nGPU has crashed, see below")
    assert record(fatal)["code"] == "Fatal error: GPU has crashed, see below"


def test_what_only_reports_an_assertion_is_not_blamed():
    step = f"{STAMP}LogWindows: Error: [Callstack] 0x00007ff6100006e4 "
    above = f"{step}KERNELBASE.dll!UnknownFunction []\n{step}Relay-Core.dll!FDebug::AssertFailed() []\n"
    found = record(ASSERTED.replace(f"{step}Relay-Game", f"{above}{step}Relay-Game"))
    assert (len(found["frames"]), found["module"]) == (3, "Relay-Game.dll")


def test_what_went_on_or_was_quoted_is_no_crash():
    ensured = ASSERTED.replace("Critical error", "Handled ensure").replace(
        "Assertion failed", "Ensure condition failed"
    )
    assert crashes_of(FORMAT, f"{UNREAL.partition(STAMP)[0]}{ensured}".encode()) == []
    assert not FORMAT.recognises(head(ensured.encode()))
    assert not FORMAT.recognises(head(b"Unhandled Exception: EXCEPTION_ACCESS_VIOLATION reading address\n\nAgain!\n"))


def test_without_symbols_there_may_be_modules_alone():
    found = record(BARE)
    assert steps(found) == [(one, None, None) for one in ("RelayGame", "RelayGame", "kernel32", "ntdll")]
    assert record(BARE.replace("RelayGame\nRelayGame\nkernel32\n", "")).get("frames") is None


def test_a_server_on_linux():
    found = record(SERVER)
    assert (found["os_type"], found["code"], found["module"]) == ("linux", "SIGSEGV", "RelayServer")


def test_unitys_log_tells_where_its_files_were_loaded():
    found = record(PLAYER)
    assert (found["os_type"], found["os_version"], found.get("code")) == ("windows", "10.0.19045", None)
    assert (found["module"], found["module_version"], found["module_offset"]) == (
        "UnityPlayer.dll", "2021.3.5.2", 0x1B2C,
    )  # fmt: skip
    assert steps(found) == [
        ("UnityPlayer.dll", None, 0x1B2C),
        ("UnityPlayer.dll", "UnityMain", 0x2B2C),
        (None, "Queue:Push (int)", None),
        ("KERNEL32", "BaseThreadInitThunk", None),
    ]
    assert "rita" not in str(found)


def test_a_stack_of_unitys_alone():
    found = record(STACK)
    assert (found["module"], found["frames"][1]["function"], len(found["frames"])) == ("relay", "queue_push", 3)


def test_a_line_below_a_stack_is_no_step_of_it():
    stack, _, _ = UNREAL.rpartition(f"{STAMP}LogWindows: Error:\n")
    assert steps(record(f"{stack}{STAMP}LogExit: Exiting.\n")) == steps(record(UNREAL))


def test_what_unreals_reporter_shows():
    found = record(SHOWN)
    assert (found["code"], found["module"]) == ("Assertion failed: Index < Num()", "Relay_Game")
    assert [one["function"] for one in found["frames"]] == ["UQueue::Pop", "UQueue::Tick"]
    unnamed = SHOWN.partition("Relay_Game")[0] + "Relay_Game\nkernel32\nntdll\n"
    assert (record(unnamed)["os_type"], record(unnamed)["module"]) == ("windows", "Relay_Game")
    called = ASSERTED.partition("LogWindows")[0] + "LogWindows: Error: appError called: " + SHOWN.partition("\n")[0]
    assert len(crashes_of(FORMAT, f"{called}\n{ASSERTED}".encode())) == 1


def test_unitys_error_log():
    found = record(ERROR_LOG)
    assert (found["code"], found["module"], found["tags"]["exe"]) == ("0xc0000005", "UnityPlayer.dll", "Relay.exe")
    assert (found["occurred_at"], found["time_quality"]) == ("2024-07-19T04:10:02Z", "log")
    assert "rita" not in str(found)


@pytest.mark.parametrize(("said", "mark"), [(UNREAL, STAMP), (PLAYER, "Crash!!!")])
def test_a_log_is_known_by_its_beginning(said, mark):
    first, _, rest = said.partition(mark)
    between = "LogTemp: all is well\n" * (HEAD_BYTES // 10)
    long = f"{first}{between}{mark}{rest}".encode()
    assert FORMAT.recognises(head(long))
    assert len(crashes_of(FORMAT, long)) == 1


@pytest.mark.parametrize("said", LOGS.values(), ids=LOGS)
def test_its_own_are_recognised(said):
    assert FORMAT.recognises(head(said.encode()))
    again = said.replace("04.10", "05.10").replace("041002", "051002")
    assert len(crashes_of(FORMAT, f"{said}\n{again}".encode())) == 2


@given(st.sampled_from(list(LOGS.values())).flatmap(lambda said: changed(said.encode())))
def test_no_bytes_break_it(data):
    survives(FORMAT, data)
