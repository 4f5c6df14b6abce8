"""Reports of KDE's programs: a signal, and gdb's stacks of the process."""

from __future__ import annotations

import tracemalloc
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.formats.debuggers import DEBUGGERS
from ingest.formats.kcrash import KCRASH
from ingest.formats.known import format_of
from tests.ingest.formats.conftest import TOLD, crashes_of, head
from tests.ingest.formats.damage import survives

HEAD = "Application: Scan (scan), signal: Segmentation fault\n"
THREADS = """\
Using host libthread_db library "/lib64/libthread_db.so.1".
[Current thread is 1 (Thread 0x7f5a6599e800 (LWP 700))]

Thread 2 (Thread 0x7f5963fff700 (LWP 703)):
#0  0x00007f5a5bf3974d in poll () at ../sysdeps/unix/syscall-template.S:84

Thread 1 (Thread 0x7f5a6599e800 (LWP 700)):
[KCrash Handler]
#6  0x00007f59977ca8f6 in push (this=0x0) from /usr/lib64/librelay.so.3
#7  0x00005624352a268f in main (argc=1) at /src/main.cpp:33
"""
REPORT = f"""\
Application: scan (5.27.5)
Qt Version: 5.15.8
Operating System: Linux 6.1.0-9-amd64 x86_64
Windowing System: Wayland
DrKonqi: 5.27.5 [KCrashBackend]

-- Information about the crash:
It was idle.

-- Backtrace:
{HEAD}
{THREADS.partition("Thread 2")[0]}[KCrash Handler]
#4  0x00007f59977ca8f6 in push (this=0x0) from /usr/lib64/librelay.so.3
#5  0x00005624352a268f in main (argc=1) at /src/main.cpp:33
[Inferior 1 (process 700) detached]

The reporter indicates this bug may be a duplicate of another.
"""
REPORTS = {"threads": HEAD + THREADS, "report": REPORT}


def steps(crash: Any) -> list[tuple[str | None, str | None]]:
    return [(frame.get("module"), frame.get("function")) for frame in crash["frames"]]


@pytest.mark.parametrize("said", REPORTS.values(), ids=REPORTS.keys())
def test_the_thread_that_crashed_is_told_from_its_handler_on(said):
    assert format_of(head(said.encode())) is KCRASH
    (crash,) = crashes_of(KCRASH, said.encode(), block_bytes=50)
    assert (crash["code"], crash["module"], crash["domain"]) == ("SIGSEGV", "librelay.so.3", "user")
    assert steps(crash) == [("librelay.so.3", "push"), (None, "main")]


def test_what_a_whole_report_tells_of_the_program():
    (crash,) = crashes_of(KCRASH, REPORT.encode())
    assert (crash["os_version"], crash["tags"]) == ("6.1.0-9-amd64", {"exe": "scan", "exe_version": "5.27.5"})


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (HEAD.replace("fault", "fault (11)"), "SIGSEGV"),
        (HEAD.replace("Segmentation fault", "Aborted"), "SIGABRT"),
        ("Anwendung: Scan (scan), Signal SIGBUS\n", "SIGBUS"),
    ],
)
def test_signals(line, code):
    (crash,) = crashes_of(KCRASH, (line + THREADS).encode())
    assert (crash["code"], crash["tags"]["exe"]) == (code, "scan")


def test_a_handler_that_gdb_shows_is_not_blamed():
    handler = "#0  0x00007f5a in raise () from /usr/lib64/libc.so.6\n"
    handler += "#1  0x00007f5a in KCrash::defaultCrashHandler(int) () from /usr/lib64/libKF5Crash.so.5\n"
    said = (HEAD + THREADS).replace("[KCrash Handler]\n", f"{handler}#5  <signal handler called>\n")
    (crash,) = crashes_of(KCRASH, said.encode())
    assert (crash["module"], len(crash["frames"])) == ("librelay.so.3", 5)
    (crash,) = crashes_of(KCRASH, HEAD.encode())
    assert (crash["module"], "frames" in crash) == ("scan", False)


def test_each_report_is_a_crash():
    both = HEAD + THREADS + HEAD.replace("scan", "queue") + THREADS
    assert [crash["tags"]["exe"] for crash in crashes_of(KCRASH, both.encode())] == ["scan", "queue"]


@pytest.mark.parametrize("said", ["Application: Scan (scan)\n", "Application: Scan (scan), signal: strong\n", THREADS])
def test_other_texts(said):
    assert not KCRASH.recognises(head(said.encode()))
    assert not DEBUGGERS.recognises(head(said.encode()))


@given(st.binary(max_size=300))
def test_no_bytes_break_it(data):
    survives(KCRASH, HEAD.encode() + data)
    survives(KCRASH, (HEAD + THREADS).encode() + data)


def test_memory_is_bounded_however_many_threads_there_are():
    block = b"Thread 1 (x)\n" * 5000
    tracemalloc.start()
    for _ in KCRASH.read(iter([HEAD.encode(), *[block] * 20]), TOLD):
        pass
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 << 20, "bytes"
