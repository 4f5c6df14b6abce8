"""Tombstones of Android, and logcat in each of its forms: native crashes, uncaught exceptions, ANRs."""

from __future__ import annotations

import os
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleetcrash.clustering import Shape, sign
from ingest.formats.known import format_of
from ingest.formats.sanitizer import SANITIZER
from ingest.formats.tombstone import TOMBSTONE as FORMAT
from tests.ingest.formats.conftest import TOLD, crashes_of, head
from tests.ingest.formats.damage import changed, survives

SAMPLES = Path(os.environ.get("FLEETCRASH_SAMPLES", "../shared/samples"))

TOMBSTONE = """\
*** *** *** *** *** *** *** *** *** *** *** *** *** *** *** ***
Build fingerprint: 'acme/pad/pad:14/UP1A.231005.007/10754064:user/release-keys'
Revision: 'MP1.0'
ABI: 'arm64'
Timestamp: 2024-07-19 04:10:02.123456789+0200
Process uptime: 5s
Cmdline: com.acme.relay --password=geheim
pid: 4321, tid: 4330, name: relay worker  >>> com.acme.relay <<<
uid: 10123
signal 11 (SIGSEGV), code 1 (SEGV_MAPERR), fault addr 0x0000000000000008
Cause: null pointer dereference
    x0  0000000000000000  x1  0000007b2a3c4d50
backtrace:
      #00 pc 000000000004f1ac  /apex/com.android.runtime/lib64/bionic/libc.so (memcpy+188) (BuildId: 0a1b)
      #01 pc 0000000000012345  /data/app/~~x==/com.acme.relay-y==/base.apk!librelay.so (offset 0x1000) (relay::push(int)+20) (BuildId: 0a1c)
      #02 pc 0000000000000210  /memfd:jit-cache (deleted) (com.acme.relay.Main.run+72)
      #03 pc 0000000000000999  <anonymous:7b2a3c>

memory near x1:
    0000007b2a3c4d50 0000000000000000

--- --- --- --- --- --- --- --- --- --- --- --- --- --- --- ---
Timestamp: 2024-07-19 04:10:02.123456789+0200
pid: 4321, tid: 4321, name: com.acme.relay  >>> com.acme.relay <<<
    x0  0000000000000000
      #00 pc 00000000000b1e2c  /apex/com.android.runtime/lib64/bionic/libc.so (__epoll_pwait+8)
"""  # noqa: E501 - as long as they are
JAVA = """\
FATAL EXCEPTION: main
Process: com.acme.relay, PID: 4321
java.lang.RuntimeException: Unable to start activity: java.lang.IllegalStateException: no item
\tat android.app.ActivityThread.performLaunchActivity(ActivityThread.java:3644)
\tat com.android.internal.os.ZygoteInit.main(ZygoteInit.java:978)
Caused by: java.lang.IllegalStateException: no item
\tat java.util.ArrayList.get(ArrayList.java:437)
\tat com.acme.relay.Queue.push(Queue.java:13)
\tat com.acme.relay.Main.onCreate(Main.java:9)
\t... 11 more
"""
ANR = """\
ANR in com.acme.relay (com.acme.relay/.Main)
PID: 4321
Reason: Input dispatching timed out (Waiting because no window has focus)
Load: 3.02 / 2.5 / 2.1
"""


def threadtime(said: str, tag: str, stamp: str = "07-19 04:10:02.123") -> str:
    lines = [f"{stamp}  4321  4330 E {tag:8}: {line}\n" for line in said.splitlines()]
    # Others write in between.
    noise = f"{stamp}  1000  1001 I chatty  : pid: 9, tid: 9, name: x  >>> y <<<\n"
    return noise.join(lines)


FORMS = {
    "threadtime": threadtime,
    "uid": lambda said, tag: "".join(
        f"07-19 04:10:02.123 10123  4321  4330 E {tag}: {line}\n" for line in said.splitlines()
    ),
    "brief": lambda said, tag: "".join(f"E/{tag} ( 4321): {line}\n" for line in said.splitlines()),
    "time": lambda said, tag: "".join(f"07-19 04:10:02.123 E/{tag}(4321): {line}\n" for line in said.splitlines()),
    "eclipse": lambda said, tag: "".join(f"07-19 04:10:02.123: E/{tag}(4321): {line}\n" for line in said.splitlines()),
    "studio": lambda said, tag: "".join(
        f"07-19 04:10:02.123 4321-4330/com.acme.relay E/{tag}: {line}\n" for line in said.splitlines()
    ),
    "older studio": lambda said, tag: "".join(
        f"07-19 04:10:02.123  4321-4330/? E/{tag}\ufe55 {line}\n" for line in said.splitlines()
    ),
    "newer studio": lambda said, tag: "".join(
        f"2024-07-19 04:10:02.123  4321-4330  {tag}  com.acme.relay  E  {line}\n" for line in said.splitlines()
    ),
    "process": lambda said, tag: "".join(f"E( 4321) {line}  ({tag})\n" for line in said.splitlines()),
    "long": lambda said, tag: "".join(
        f"[ 07-19 04:10:02.123  4321: 4330 E/{tag:8} ]\n{line}\n\n" for line in said.splitlines()
    ),
    "long, at once": lambda said, tag: f"[ 07-19 04:10:02.123  4321: 4330 E/{tag:8} ]\n{said}\n",
    "epoch": lambda said, tag: "".join(
        f"     1721362202.123  4321  4330 E {tag}: {line}\n" for line in said.splitlines()
    ),
    "epoch, long": lambda said, tag: f"[      1721362202.123  4321: 4330 E/{tag:8} ]\n{said}\n",
    "monotonic": lambda said, tag: "".join(
        f"       86402.123  4321  4330 E {tag}: {line}\n" for line in said.splitlines()
    ),
    "crlf": lambda said, tag: threadtime(said, tag).replace("\n", "\r\n"),
}


def record(said: str) -> dict[str, Any]:
    (found,) = crashes_of(FORMAT, said.encode())
    return found


def test_a_tombstone():
    found = record(TOMBSTONE)
    assert len(found.pop("crash_id")) == 32
    assert found == {
        "record": "crash",
        "host_id": "h-told",
        "occurred_at": "2024-07-19T04:10:02.123456+02:00".replace("T", " "),
        "os_type": "linux",
        "os_version": "14",
        "os_build": "UP1A.231005.007",
        "domain": "user",
        "code": "SIGSEGV",
        "module": "libc.so",
        "module_offset": 0x4F1AC,
        "frames": [
            {"module": "libc.so", "function": "memcpy", "offset": 0x4F1AC},
            {"module": "librelay.so", "function": "relay::push(int)", "offset": 0x12345},
            {"module": "memfd:jit-cache", "function": "com.acme.relay.Main.run", "offset": 0x210},
            {"module": "<anonymous:7b2a3c>", "function": None, "offset": 0x999},
        ],
        "tags": {
            "process": "com.acme.relay", "thread": "relay worker", "pid": "4321", "signal_code": "SEGV_MAPERR",
            "address": "0x0000000000000008", "message": "null pointer dereference", "abi": "arm64", "model": "pad",
            "process_uptime": "5s",
        },
    }  # fmt: skip
    assert sign(Shape.of(found)).family == "linux | memory | librelay.so!relay::push"


def test_an_uncaught_exception_is_its_innermost_cause():
    found = record(threadtime(JAVA, "AndroidRuntime"))
    assert len(found.pop("crash_id")) == 32
    assert found == {
        "record": "crash",
        "host_id": "h-told",
        "occurred_at": "2026-07-19T04:10:02.123000Z",
        "time_quality": "log",
        "os_type": "linux",
        "domain": "user",
        "code": "java.lang.IllegalStateException",
        "module": "java.util.ArrayList",
        "frames": [
            {"module": "java.util.ArrayList", "function": "get", "offset": None},
            {"module": "com.acme.relay.Queue", "function": "push", "offset": None},
            {"module": "com.acme.relay.Main", "function": "onCreate", "offset": None},
        ],
        "tags": {
            "process": "com.acme.relay", "pid": "4321", "thread": "main",
            "message": "Caused by: java.lang.IllegalStateException: no item",
        },
    }  # fmt: skip
    assert sign(Shape.of(found)).family == "linux | java.lang.IllegalStateException | com.acme.relay.queue!push"


def test_older_ones_tell_no_process():
    said = JAVA.replace("Process: com.acme.relay, PID: 4321\n", "")
    found = record(threadtime(said, "AndroidRuntime"))
    assert found["code"] == "java.lang.IllegalStateException"
    later = record(threadtime(said, "AndroidRuntime", "07-20 04:10:02.123"))
    assert later["crash_id"] != found["crash_id"]
    system = (
        "*** FATAL EXCEPTION IN SYSTEM PROCESS: main\njava.lang.NullPointerException\n\tat com.acme.A.b(A.java:1)\n"
    )
    assert record(threadtime(system, "AndroidRuntime"))["code"] == "java.lang.NullPointerException"


def test_an_application_that_does_not_respond():
    found = record(threadtime(ANR, "ActivityManager", "2024-07-19 04:10:02.123456 +0200"))
    assert (found["domain"], found["code"], found["module"]) == ("hang", "ANR", "com.acme.relay")
    assert found["occurred_at"] == "2024-07-19 04:10:02.123456+02:00"
    assert found["tags"]["message"].startswith("Input dispatching timed out")
    assert sign(Shape.of(found)).family == "linux | hang | com.acme.relay"


@pytest.mark.parametrize(
    ("stamp", "at"),
    [
        ("07-19 04:10:02.123", "2026-07-19T04:10:02.123000Z"),
        ("07-19 04:10:02.123456 +0200", "2026-07-19T02:10:02.123456Z"),
        ("12-09 04:10:02.123", "2025-12-09T04:10:02.123000Z"),
        ("02-29 04:10:02.123", "2024-02-29T04:10:02.123000Z"),
    ],
)
def test_a_stamp_without_a_year_is_the_last_before_the_file(stamp, at):
    found = record(threadtime(ANR, "ActivityManager", stamp))
    assert (found["occurred_at"], found["time_quality"]) == (at, "log")
    assert record(threadtime(ANR, "ActivityManager", "13-32 04:10:02.123"))["occurred_at"] == "2026-11-25T12:00:00Z"


@pytest.mark.parametrize("form", FORMS)
def test_logcat_in_each_of_its_forms(form):
    said = FORMS[form](TOMBSTONE, "DEBUG") + FORMS[form](JAVA, "AndroidRuntime") + FORMS[form](ANR, "ActivityManager")
    assert FORMAT.recognises(head(said.encode()))
    found = crashes_of(FORMAT, said.encode())
    assert sorted(one["code"] for one in found) == ["ANR", "SIGSEGV", "java.lang.IllegalStateException"]
    native = next(one for one in found if one["code"] == "SIGSEGV")
    assert native == record(TOMBSTONE), "one crash, wherever it is told"
    assert crashes_of(FORMAT, said.encode(), block_bytes=7) == found
    hang = next(one for one in found if one["code"] == "ANR")
    has_stamp = any(stamp in FORMS[form](ANR, "ActivityManager") for stamp in ("04:10:02", "1721362202.123"))
    assert hang["occurred_at"].endswith("-19T04:10:02.123000Z" if has_stamp else "-25T12:00:00Z") or "newer" in form


def test_an_exception_whose_words_stand_on_the_next_line_is_known_by_its_name():
    found = record("E/AndroidRuntime(4321): FATAL EXCEPTION: main\nE/AndroidRuntime(4321): java.lang.Error: \n  gone\n")
    assert (found["code"], found["tags"]["thread"]) == ("java.lang.Error", "main")


def test_logcat_whose_lines_do_not_tell_their_writer():
    dying = "2022-07-19 22:18:58.545 A: Fatal signal 6 (SIGABRT), code -6 (SI_TKILL) in tid 43 (Render), pid 42 (relay)"
    found = record(f"--------- beginning of crash\n{dying}\n")
    assert (found["code"], found["occurred_at"][:10], found["module"]) == ("SIGABRT", "2022-07-19", "relay")
    cut = "".join(f"F DEBUG   : {line}\n" for line in TOMBSTONE.splitlines())
    assert FORMAT.recognises(head(cut.encode()))
    assert record(cut) == record(TOMBSTONE)
    thread = "".join(f"E( 4321: 4330) {line}\n" for line in JAVA.splitlines())
    assert FORMAT.recognises(head(thread.encode()))
    assert record(thread)["crash_id"] == record(threadtime(JAVA, "AndroidRuntime"))["crash_id"]


def test_what_the_c_library_says_is_a_crash_where_no_block_follows():
    said = (
        "Fatal signal 11 (SIGSEGV), code 1 (SEGV_MAPERR), fault addr 0x8 in tid 4330 (relay worker), pid 4321 (relay)"
    )
    dying = threadtime(said, "libc")
    found = record(dying)
    assert (found["code"], found["module"], found["tags"]["thread"]) == ("SIGSEGV", "relay", "relay worker")
    assert record(dying + threadtime(TOMBSTONE, "DEBUG")) == record(TOMBSTONE)
    alone = record(said.removesuffix(" (relay)"))
    assert (alone["tags"]["pid"], alone.get("module")) == ("4321", None)


FATAL = "Fatal signal 11 (SIGSEGV), code 1 (SEGV_MAPERR), fault addr 0x8 in tid {} (relay)"


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS.keys())
def test_threads_of_one_process_that_die_together_are_one_crash(form):
    """``FORMS`` write all lines as of process 4321."""
    both = form(FATAL.format(4330), "libc") + form(FATAL.format(4331), "libc")
    assert [one["tags"]["message"] for one in crashes_of(FORMAT, both.encode())] == [FATAL.format(4330)]
    (found,) = crashes_of(FORMAT, (both + form(TOMBSTONE, "DEBUG")).encode())
    assert (found["crash_id"], len(found["frames"])) == (record(form(TOMBSTONE, "DEBUG"))["crash_id"], 4)
    other = form(FATAL.format(99), "libc").replace("4321", "98")
    assert len(crashes_of(FORMAT, (both + other).encode())) == 2


def test_games_of_unity_tell_it_before_debuggerd_does():
    unitys = TOMBSTONE.partition("\n--- ---")[0].replace("Cmdline: com.acme.relay --password=geheim\n", "")
    alone = record(threadtime(unitys, "CRASH"))
    assert (alone["code"], alone["module"]) == ("SIGSEGV", record(TOMBSTONE)["module"])
    fatal = threadtime(FATAL.format(4330), "libc")
    assert record(threadtime(unitys, "CRASH") + fatal) == alone
    both = threadtime(unitys, "CRASH") + fatal + threadtime(TOMBSTONE, "DEBUG")
    assert record(both) == record(TOMBSTONE)
    other = threadtime(TOMBSTONE.replace("4330", "4331"), "DEBUG")
    assert len(crashes_of(FORMAT, (threadtime(unitys, "CRASH") + other).encode())) == 2


def test_googles_store_tells_neither_the_process_nor_the_signal():
    stack = TOMBSTONE[TOMBSTONE.index("backtrace:") :].partition("\n\n")[0]
    said = f"{'*** ' * 16}\npid: 0, tid: 0 >>> com.acme.relay <<<\n\n{stack}\n"
    assert FORMAT.recognises(head(said.encode()))
    found = record(said)
    assert (found.get("code"), found["tags"]["process"], len(found["frames"])) == (None, "com.acme.relay", 4)
    assert crashes_of(FORMAT, said.replace("pid: 0", "pid: 7").encode()) == [], "that was asked for"


def test_the_runtime_of_older_systems_is_not_blamed():
    said = """\
pid: 4242, tid: 4242, name: relay  >>> com.example.relay <<<
signal 6 (SIGABRT), code -6 (SI_TKILL), fault addr --------
backtrace:
      #00 pc 000221ec  /system/lib/libc.so (tgkill+12)
      #01 pc 00021aa0  /system/lib/libc.so (abort+4)
      #02 pc 00046dbb  /system/lib/libdvm.so (dvmAbort+78)
      #03 pc 0004b6ab  /data/app-lib/com.example.relay/librelay.so (relay_push+20)
"""
    assert record(said)["module"] == "librelay.so"


def test_a_thread_that_says_it_was_not_the_first_is_none():
    later = "Another thread contacted debuggerd first; not contacting debuggerd."
    said = f"--------- libc (1236):\n{FATAL.format(4330)}\n{FATAL.format(4331)}\n{later}\n"
    assert [one["tags"]["message"] for one in crashes_of(FORMAT, said.encode())] == [FATAL.format(4330)]
    assert len(crashes_of(FORMAT, said.partition(later)[0].encode())) == 2, "nobody says which process they are of"


def test_a_log_that_is_filtered_may_tell_the_signal_in_the_c_librarys_words_alone():
    fatal = "Fatal signal 11 (SIGSEGV), code 1 (SEGV_MAPERR) in tid 4330 (relay worker), pid 4321 (relay)\n"
    block = "\n".join(line for line in TOMBSTONE.splitlines() if line.startswith("pid: ") or "#0" in line)
    found = record(threadtime(fatal, "libc") + threadtime(block.partition("\npid: ")[0], "DEBUG"))
    assert (found["code"], found["frames"]) == ("SIGSEGV", record(TOMBSTONE)["frames"])
    assert crashes_of(FORMAT, threadtime(block, "DEBUG").encode()) == []


def test_a_block_without_its_line_of_stars_has_its_build_and_time():
    bare = TOMBSTONE.partition("\n")[2].partition("\n--- ---")[0]
    for said in (
        threadtime(bare, "DEBUG"),
        threadtime(bare, "DEBUG") + threadtime(bare.replace("4330", "4331"), "DEBUG"),
    ):
        found = crashes_of(FORMAT, said.encode())
        assert len(found) == said.count(">>> com.acme.relay <<<")
        assert all(
            (one["occurred_at"], one["os_version"]) == ("2024-07-19 04:10:02.123456+02:00", "14") for one in found
        )


BY_ITSELF = {
    "studio": FORMS["studio"](ANR.splitlines()[0], "ActivityManager") + "    PID: 4321\n    Reason: it waited\n",
    "newer studio": FORMS["newer studio"](ANR.splitlines()[0], "ActivityManager") + f"{' ' * 90}PID: 4321\n",
    "cut by people": "".join(f"E ActivityManager: {line}\n" for line in ANR.splitlines()),
    "without headers": "```\n" + ANR.replace("\n", f"\n{' ' * 90}") + "\n```\n",
}


@pytest.mark.parametrize("said", BY_ITSELF.values(), ids=BY_ITSELF.keys())
def test_a_hang_by_itself(said):
    said = f"ANR in production\n\nIt stops:\n\n{said}"
    assert FORMAT.recognises(head(said.encode()))
    (found,) = crashes_of(FORMAT, said.encode())
    assert (found["domain"], found["module"], found["tags"]["pid"]) == ("hang", "com.acme.relay", "4321")


@pytest.mark.parametrize(
    "header", ["F/libc    ( 4321): ", "F libc    : ", "07-19 04:10:02.123 4321-4330/? A/libc: ", ""]
)
def test_what_the_c_library_says_by_itself(header):
    said = f"Launching relay on a pad...\n{header}{FATAL.format(4330)}\nLost connection to the pad.\n"
    assert FORMAT.recognises(head(said.encode()))
    (found,) = crashes_of(FORMAT, said.encode())
    assert (found["code"], found["tags"]["thread"]) == ("SIGSEGV", "relay")


def test_what_people_write_of_hangs_and_signals_is_none():
    said = b"ANR in com.acme.relay since the update\nIt tells of Fatal signal 11 (SIGSEGV) before.\n"
    assert not FORMAT.recognises(head(said))
    assert crashes_of(FORMAT, said) == []


def test_what_a_maker_of_chips_writes_in_place_of_debuggerd():
    assert record(FORMS["brief"](TOMBSTONE, "AEE/AED"))["crash_id"] == record(TOMBSTONE)["crash_id"]


def test_a_program_that_makes_its_own_tombstones():
    said = "Crash time: '2024-07-19T04:10:02.345-0300'"
    found = record(TOMBSTONE.partition("\n--- ---")[0].replace("Timestamp: 2024-07-19 04:10:02.123456789+0200", said))
    assert (found["occurred_at"], found["code"]) == ("2024-07-19T04:10:02.345-03:00", "SIGSEGV")


def test_lines_without_a_head_are_those_of_the_writer_before():
    first, _, rest = JAVA.partition("\n")
    said = f"I/Zygote: started\n  not: this\nE/AndroidRuntime: {first}\n" + "".join(
        f"                  {line}\n" for line in rest.splitlines()
    )
    assert FORMAT.recognises(head(said.encode()))
    found = record(said)
    assert (found["code"], found["tags"]["pid"], len(found["frames"])) == ("java.lang.IllegalStateException", "4321", 3)


def test_writers_in_one_log_do_not_mix():
    native, java = threadtime(TOMBSTONE, "DEBUG").splitlines(), threadtime(JAVA, "AndroidRuntime").splitlines()
    mixed = [line for pair in zip(native, java, strict=False) for line in pair] + native[len(java) :]
    found = crashes_of(FORMAT, ("\n".join(mixed) + "\n").encode())
    assert {one["crash_id"] for one in found} == {
        record(TOMBSTONE)["crash_id"],
        record(threadtime(JAVA, "AndroidRuntime"))["crash_id"],
    }


def test_two_crashes_are_two_and_a_stack_that_was_asked_for_is_none():
    twice = TOMBSTONE + TOMBSTONE.replace("4330", "4331")
    assert len({one["crash_id"] for one in crashes_of(FORMAT, twice.encode())}) == 2
    asked = "\n".join(line for line in TOMBSTONE.splitlines() if not line.startswith("signal"))
    assert crashes_of(FORMAT, asked.encode()) == []
    assert crashes_of(FORMAT, threadtime("started\nANR was not seen\n", "ActivityManager").encode()) == []


def test_older_tombstones():
    older = TOMBSTONE.replace(", name: relay worker", "").replace("Timestamp: 2024-07-19 04:10:02.123456789+0200\n", "")
    older = older.replace(" (BuildId: 0a1b)", "").replace("fault addr 0x0000000000000008", "fault addr --------")
    found = record(older)
    assert (found["time_quality"], found["frames"][0]["function"]) == ("log", "memcpy")
    assert "thread" not in found["tags"]


@pytest.mark.parametrize("said", [TOMBSTONE, threadtime("started", "Zygote") + "--------- beginning of main\n"])
def test_its_own_are_recognised(said):
    assert FORMAT.recognises(head(said.encode()))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b'{"record": "crash", "tags": {"message": "pid: 1, tid: 2, name: x  >>> y <<<"}}\n',
        b"Jul 19 04:10:02 web-1 kernel: [  122.5] relay[7]: segfault at 8\n" * 5,
        b"2024-07-19 04:10:02,123 INFO relay: started\n" * 5,
        b"crash_id,host_id,occurred_at\nc,h,2024-07-19 04:10:02.123\n",
        b'Exception in thread "main" java.lang.IllegalStateException\n\tat a.B.c(B.java:1)\n',
    ],
)
def test_others_are_not(data):
    assert not FORMAT.recognises(head(data))


@given(st.binary(max_size=300) | changed(TOMBSTONE.encode()) | changed(threadtime(JAVA, "AndroidRuntime").encode()))
def test_no_bytes_break_it(data):
    survives(FORMAT, data)


def test_it_may_end_anywhere():
    for said in (TOMBSTONE, threadtime(JAVA, "AndroidRuntime"), ANR):
        for end in range(0, len(said), 19):
            survives(FORMAT, said[:end].encode())


@pytest.mark.variants
@pytest.mark.parametrize(
    "block", [b"x" * (1 << 20), b"*** *** *** *** *** ***\n" * 20_000, b"    x0  0000000000000000\n" * 40_000]
)
def test_memory_is_bounded_whatever_comes(block):
    tracemalloc.start()
    found = sum(records.read for records in FORMAT.read(iter([TOMBSTONE.encode(), *[block] * 3]), TOLD))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found == 1
    assert peak < 12 << 20, "bytes, of 3 MiB that came in blocks of one"


def test_recorded_ones():
    folder = SAMPLES / "clusterfuzz"
    if not folder.exists():
        pytest.skip(f"no samples at {SAMPLES}; FLEETCRASH_SAMPLES names their folder")
    (found,) = crashes_of(FORMAT, (folder / "oom.txt").read_bytes())
    assert (found["code"], found["os_version"], len(found["frames"])) == ("SIGABRT", "6.0", 40)


def test_an_exception_without_the_logs_headers_is_read():
    said = (
        "It broke:\n\nFATAL EXCEPTION: main\n Process: com.acme.relay, PID: 77\n java.lang.IllegalStateException: x\n"
        " \tat com.acme.relay.Main.run(Main.java:3)\n"
    )
    assert FORMAT.recognises(head(said.encode()))
    (crash,) = crashes_of(FORMAT, said.encode())
    assert (crash["code"], crash["module"]) == ("java.lang.IllegalStateException", "com.acme.relay.Main")
    assert not FORMAT.recognises(head(b"FATAL EXCEPTION: main\nwas what it said\n"))


@pytest.mark.parametrize(
    "thrown", [" java.lang.IllegalStateException: full", "\n  java.lang.IllegalStateException: full"]
)
def test_lines_that_a_copy_merged_are_told_apart(thrown):
    said = f"E/AndroidRuntime: FATAL EXCEPTION: main Process: com.example.relay, PID: 4242{thrown}\n"
    said += "    at com.example.relay.Queue.push(Queue.java:12)\n"
    assert FORMAT.recognises(head(said.encode()))
    (crash,) = crashes_of(FORMAT, said.encode())
    assert crash["code"] == "java.lang.IllegalStateException"
    tags = crash["tags"]
    assert (tags["process"], tags["pid"], tags["thread"]) == ("com.example.relay", "4242", "main")


def test_the_library_that_calls_for_an_abort_is_not_blamed():
    said = """\
pid: 4242, tid: 4242, name: relay  >>> com.example.relay <<<
signal 6 (SIGABRT), code -1 (SI_QUEUE), fault addr --------
backtrace:
      #00 pc 00000000000532f4  /apex/com.android.runtime/lib64/bionic/libc.so (abort+164) (BuildId: 0a1b)
      #01 pc 00000000006f4d10  /apex/com.android.art/lib64/libart.so (art::Runtime::Abort(char const*)+472)
      #02 pc 0000000000016010  /apex/com.android.art/lib64/libbase.so (android::base::SetAborter(std::__1::function\
<void (char const*)>&&)::$_0::__invoke(char const*)+80)
      #03 pc 0000000000006d50  /apex/com.android.art/lib64/liblog.so (__android_log_call_aborter+20)
      #04 pc 0000000000026010  /data/app/com.example.relay/lib/arm64/librelay.so (relay_push+20)
"""
    (crash,) = crashes_of(FORMAT, said.encode())
    assert (crash["module"], crash["module_offset"]) == ("librelay.so", 0x26010)


def test_the_way_into_the_kernel_is_not_blamed():
    said = """\
pid: 4242, tid: 4242, name: relay  >>> com.example.relay <<<
signal 6 (SIGABRT), code -1 (SI_QUEUE), fault addr --------
backtrace:
      #00 pc 00000b99  [vdso] (__kernel_vsyscall+9)
      #01 pc 0005ace8  /apex/com.android.runtime/lib/bionic/libc.so (syscall+40) (BuildId: 0a1b)
      #02 pc 00026010  /data/app/com.example.relay/lib/x86/librelay.so (relay_push+20)
"""
    (crash,) = crashes_of(FORMAT, said.encode())
    assert (crash["module"], crash["module_offset"]) == ("librelay.so", 0x26010)


def test_what_flutter_writes_before_each_line_is_no_part_of_it():
    said = """\
[ +101 ms] E/        ( 4242): a pipe failed, exiting.
[   +1 ms] F/libc    ( 4242): Fatal signal 6 (SIGABRT), code -6 in tid 4243 (1.raster)
[ +104 ms] *** *** *** *** *** *** *** *** *** *** *** *** *** *** *** ***
[        ] Build fingerprint: 'acme/pad/pad:14/UP1A.231005.007/1:user/release-keys'
[        ] pid: 4242, tid: 4243, name: 1.raster  >>> com.example.relay <<<
[        ] signal 6 (SIGABRT), code -6 (SI_TKILL), fault addr --------
[        ] backtrace:
[        ]     #00 pc 00000000000818d7  /system/lib64/libc.so (tgkill+7)
[        ]     #01 pc 0000000000026010  /data/app/com.example.relay/lib/x86_64/librelay.so (relay_push+65)
"""
    assert FORMAT.recognises(head(said.encode()))
    (crash,) = crashes_of(FORMAT, said.encode())
    assert (crash["code"], crash["module"], crash["os_version"]) == ("SIGABRT", "librelay.so", "14")
    assert crash["tags"]["thread"] == "1.raster"


def test_a_log_in_which_only_a_sanitizer_tells_of_a_crash_is_left_to_its_format():
    told = "==4321==ERROR: HWAddressSanitizer: tag-mismatch on address 0x0042 at pc 0x0078\n"
    told += "READ of size 4 at 0x0042 tags: 8a/2b (ptr/mem) in thread T3\n    #0 0x78 (/data/app/librelay.so+0x1d1ec)\n"
    log = threadtime(told, "relay").replace(">>> y <<<", "y")
    assert format_of(head(log.encode())) is SANITIZER
    (found,) = crashes_of(SANITIZER, log.encode())
    assert (found["module"], found["module_offset"], len(found["frames"])) == ("librelay.so", 0x1D1EC, 1)
    assert format_of(head((log + threadtime(TOMBSTONE, "DEBUG")).encode())) is FORMAT
