"""Faults that programs tell of themselves, or Valgrind of them."""

from __future__ import annotations

from functools import partial

import pytest

from ingest.formats.sanitizer import SANITIZER
from tests.ingest.effort import costs_at_most
from tests.ingest.formats.conftest import crashes_of, head

GLOG = """\
*** Aborted at 1753000000 (unix time) try "date -d @1753000000" if you are using GNU date ***
PC: @     0x7f5d1c1f3e97 relay::Queue::push()
*** SIGSEGV (@0x8) received by PID 42 (TID 0x7f5d1d7f8740) from PID 8; stack trace: ***
    @     0x7f5d1cfa1890 (unknown)
    @           0x40125c relay::Queue::push()
    @           0x4011a4 main"""
GLOG_FATAL = """\
F20250720 08:26:40.000000    42 queue.cc:220] The queue is full
*** Check failure stack trace: ***
    @     0x7f12c1c9e5cd  google::LogMessage::Fail()
    @           0x40125c  relay::Queue::push()
    @           0x4011a4  main"""
FOLLY = """\
*** Aborted at 1753000000 (Unix time, try 'date -d @1753000000') ***
*** Signal 11 (SIGSEGV) (0x8) received by PID 42 (pthread TID 0x7f5d) (linux TID 42) (code: 1), stack trace: ***
    @ 0000000000a4125c folly::symbolizer::(anonymous namespace)::innerSignalHandler(int, siginfo_t*, void*)
                       ./folly/debugging/symbolizer/SignalHandler.cpp:453
    @ 0000000000042520 (unknown)
    @ 000000000040125c relay::Queue::push()
                       ./relay/queue.cc:220
    @ 00000000004011a4 main"""
MARIADB = """\
2025-07-20  8:26:40 0 [ERROR] mariadbd got signal 11 ;
It may be the hardware.

Thread pointer: 0x0
Attempting backtrace. You can use the following information to find out
where mariadbd died. If you see no messages after this, something went
terribly wrong...
stack_bottom = 0x7f1dc8123d80 thread_stack 0x49000
/usr/sbin/mariadbd(my_print_stacktrace+0x2e)[0x55c1b2e5b1ce]
/usr/sbin/mariadbd(handle_fatal_signal+0x54d)[0x55c1b28fd8dd]
/lib64/libpthread.so.0(+0xf630)[0x7f1dd9c0f630]
/usr/sbin/mariadbd(relay_push+0x4e)[0x55c1b2700a2e]
/usr/sbin/mariadbd(main+0x6d)[0x55c1b2700b2e]

More of it."""
REDIS = """\
1:M 20 Jul 2025 08:26:40.123 # Redis 7.2.1 crashed by signal: 11, si_code: 1

------ STACK TRACE ------
Backtrace:
redis-server *:6379(sigsegvHandler+0x9e)[0x55c1b2e5b3ce]
/lib/x86_64-linux-gnu/libc.so.6(+0x42520)[0x7f1dd9c0f730]
redis-server *:6379(relay_push+0x2e)[0x55c1b2e5b1ce]
redis-server *:6379(main+0x2e)[0x55c1b2e5b1ce]"""
VALGRIND = """\
==42== Process terminating with default action of signal 11 (SIGSEGV)
==42==  Access not within mapped region at address 0x0
==42==    at 0x109156: relay_push (queue.c:5)
==42==    by 0x109256: main (in /opt/relay/relay)
==42==
==42== HEAP SUMMARY:
==42==    at 0x4848899: malloc (in /usr/lib/vgpreload.so)"""
MONO = """\
Got a SIGSEGV while executing native code. This usually indicates
a fatal error in the mono runtime or one of the native libraries
used by your application.
=================================================================

=================================================================
\tNative stacktrace:
=================================================================
\t0x10107991c - /opt/relay/relay : mono_dump_native_crash_info
\t0x1a2b3c4d0 - /usr/lib/system/libsystem_platform.dylib : _sigtramp
\t0x100abc120 - /opt/relay/relay : relay_push
\t0x100abc110 - /opt/relay/relay : main

================================================================="""
CAUGHT = """\
Caught signal: SIGABRT
Stack trace:
  /lib/x86_64-linux-gnu/libc.so.6 : abort()+0x141  [0x7f3b503b7921]
  /usr/lib/librelay.so.2 : ()+0x8c957  [0x7f3b50daa957]
  relay : relay_push()+0x254  [0x562b77199c64]
  relay : main()+0x387  [0x562b77120f77]"""
JULIA = """\

[42] signal (11.1): Segmentation fault
in expression starting at /srv/relay.jl:3
relay_push at /srv/queue.c:12 [inlined]
main at /usr/lib/libjulia.so (unknown line)
Allocations: 2650"""
R = """\
 *** caught segfault ***
address 0x18, cause 'memory not mapped'

Traceback:
 1: .Call("push", x)
 2: relay_push(x)
 3: main()
An irrecoverable exception occurred."""
ZIG = """\
thread 42 panic: index out of bounds: index 5, len 3
/srv/queue.zig:3:9: 0x21d1f0 in relay_push (relay)
    a[5] = 1;
        ^
/srv/main.zig:14:2: 0x21c5f1 in main (relay)
"""
OCAML = """\
Fatal error: exception Failure("queue")
Raised at relay_push in file "queue.ml", line 137, characters 10-25
Called from main in file "bin/main.ml", line 3, characters 2-10"""


REPORTS = {
    "glog": GLOG, "Folly": FOLLY, "glog's fatal": GLOG_FATAL, "MariaDB": MARIADB, "Redis": REDIS,
    "Valgrind": VALGRIND, "Mono": MONO, "caught": CAUGHT, "Julia": JULIA,
    "R": R, "Zig": ZIG, "OCaml": OCAML,
}  # fmt: skip


@pytest.mark.parametrize(
    ("said", "code", "at"),
    [
        (GLOG, "SIGSEGV", "2025-07-20T08:26:40Z"),
        (FOLLY, "SIGSEGV", "2025-07-20T08:26:40Z"),
        (GLOG_FATAL, "Fatal error", "2025-07-20T08:26:40Z"),
        (MARIADB, "SIGSEGV", "2025-07-20T08:26:40Z"),
        (REDIS, "SIGSEGV", "2025-07-20T08:26:40Z"),
        (VALGRIND, "SIGSEGV", None),
        (MONO, "SIGSEGV", None),
        (CAUGHT, "SIGABRT", None),
        (JULIA, "SIGSEGV", None),
        (R, "SIGSEGV", None),
        (ZIG, "panic", None),
        (OCAML, "Failure", None),
    ],
    ids=REPORTS,
)
def test_a_fault_is_told_with_its_stack(said, code, at):
    assert SANITIZER.recognises(head(said.encode()))
    (crash,) = crashes_of(SANITIZER, f"started\n{said}\nAborted (core dumped)\n".encode())
    told = [(frame.get("function") or "").removesuffix("()") for frame in crash["frames"]]
    assert [one for one in told if one.rpartition("::")[2] in ("push", "relay_push", "main")] == told[-2:]
    assert told[-2:] in (["relay::Queue::push", "main"], ["relay_push", "main"])
    assert crash["code"] == code
    assert at is None or crash["occurred_at"] == at


def test_a_step_without_a_symbol_has_its_offset_within_the_file():
    (crash,) = crashes_of(SANITIZER, CAUGHT.encode())
    assert crash["frames"][1] == {"module": "librelay.so.2", "function": None, "offset": 0x8C957}
    assert crash["module"] == "librelay.so.2", "which called for the abort"
    older = "Catching SIGABRT, please report a bug at https://relay.example\nand with it this:\nversion: v3\n"
    (earlier,) = crashes_of(SANITIZER, CAUGHT.replace("Caught signal: SIGABRT\n", older).encode())
    assert (earlier["code"], earlier["frames"]) == ("SIGABRT", crash["frames"])
    (handled,) = crashes_of(SANITIZER, MONO.encode())
    assert len(handled["frames"]) == 2, "without the handler"


MYSQL_HEAD = """\
08:26:40 UTC - mysqld got signal 11 ;
Most likely, you have hit a bug, but this error can also be caused by malfunctioning hardware.
Thread pointer: 0x0
Attempting backtrace. You can use the following information to find out
where mysqld died. If you see no messages after this, something went
terribly wrong...

stack_bottom = 0 thread_stack 0x100000
"""
MYSQL_STACKS = {
    "symbols": """\
/usr/sbin/mysqld(my_print_stacktrace(unsigned char const*, unsigned long)+0x41) [0x1d7b1f1]
/usr/sbin/mysqld(handle_fatal_signal+0x2a3) [0xeb6a43]
/lib64/libpthread.so.0(+0xf630) [0x7f1dd9c0f630]
/usr/sbin/mysqld(Queue::push(Item*, int)+0x4e) [0xe00a2e]
/usr/sbin/mysqld(serve(int, char**)+0x6d) [0xe00b2e]
""",
    "files": """\
mysys/stacktrace.c:174(my_print_stacktrace)[0x55c1b2e5b1ce]
sql/signal_handler.cc:238(handle_fatal_signal)[0x55c1b28fd8dd]
sigaction.c:0(__restore_rt)[0x7f1dd9c0f630]
sql/queue.cc:97(Queue::push(Item*, int))[0x55c1b2700a2e]
/usr/sbin/mysqld(serve+0x6d)[0x55c1b2700b2e]
""",
    "Windows": """\
7ff6e4a1c2a5    mysqld.exe!Queue::push()[queue.cc:97]
mysqld.exe!serve()
mysqld.exe!???
""",
}


@pytest.mark.parametrize(("kind", "stack"), MYSQL_STACKS.items(), ids=MYSQL_STACKS)
def test_each_stack_of_mysql_is_read_below_its_handler(kind, stack):
    (crash,) = crashes_of(SANITIZER, f"{MYSQL_HEAD}{stack}\nTrying to get some variables.\n".encode())
    functions = [frame.get("function") or "" for frame in crash["frames"]]
    assert [name.partition("(")[0] for name in functions[:2]] == ["Queue::push", "serve"]
    assert crash["os_type"] == ("windows" if kind == "Windows" else "linux")
    assert crash.get("module") == {"symbols": "mysqld", "Windows": "mysqld.exe"}.get(kind)


def test_mariadb_says_when_it_died():
    said = f"2025-07-20  8:00:00 0 [Note] ready\n{MARIADB.replace('2025-07-20  8:26:40 0', '250720  8:26:40')}"
    (crash,) = crashes_of(SANITIZER, said.encode())
    assert (crash["occurred_at"], crash["time_quality"]) == ("2025-07-20T08:26:40Z", "log")


def test_a_stack_of_mysql_without_symbols_names_its_modules():
    bare = "/usr/sbin/mysqld(handle_fatal_signal+0x4b4)[0x6655c4]\n/lib64/libpthread.so.0[0x3257a0f790]\n"
    bare += "/usr/lib/relay.so[0x7f00de4]\n/usr/sbin/mysqld[0xa98887]\n/lib64/libc.so.6(clone+0x6d)[0x3256ee8b6d]\n"
    (crash,) = crashes_of(SANITIZER, (MYSQL_HEAD + bare).encode())
    assert [frame["module"] for frame in crash["frames"]] == ["relay.so", "mysqld", "libc.so.6"]
    assert crash["module"] == "relay.so"


@pytest.mark.parametrize("said", REPORTS.values(), ids=REPORTS)
def test_a_head_alone_is_no_crash(said):
    alone = f"{next(line for line in said.splitlines() if line)}\nand so on\n".encode()
    assert not SANITIZER.recognises(head(alone))
    assert crashes_of(SANITIZER, alone) == []


@pytest.mark.parametrize(
    "piece",
    ["a at ", "a at b:1 ", "(", "==42==    at 0x1: a (", "a.zig:1:1: 0x1 in a (", "x(+0x1) ", "a.exe!b[", "a:1("],
)
def test_a_hostile_line_takes_little_time(piece):
    for said in (GLOG, MARIADB, REDIS, VALGRIND, JULIA, ZIG):
        costs_at_most(30, partial(crashes_of, SANITIZER, f"{said}\n{piece * 800}\n{piece * 800}".encode()))


def test_an_exception_is_told_in_the_language_of_the_system():
    said = """\
Unbehandelte Ausnahme: Relay.QueueException: Die Warteschlange ist voll.
   bei Relay.Queue.Push(String text) in C:\\src\\Queue.cs:Zeile 12.
   bei Relay.Program.Main(String[] args)
"""
    (crash,) = crashes_of(SANITIZER, said.encode())
    assert (crash["code"], crash["os_type"]) == ("Relay.QueueException", "windows")
    assert [frame["function"] for frame in crash["frames"]] == ["Push", "Main"]


def test_what_php_tells_its_log_and_its_page_is_one_crash():
    told = "Fatal error:  Uncaught Error: gone in /app/relay.php:3\nStack trace:\n#0 /app/relay.php(9): push()\n"
    page = told.replace(":  ", ": ")
    for said in (f"PHP {told}\n{page}", f"{page}\nPHP {told}"):
        assert len(crashes_of(SANITIZER, said.encode())) == 1
    assert len(crashes_of(SANITIZER, f"PHP {told}\n{page.replace('gone', 'lost')}".encode())) == 2
    assert len(crashes_of(SANITIZER, f"PHP {told}\nPHP {told}".encode())) == 2


def test_what_mono_tells_twice_is_one_crash():
    thrown = "Relay.FullException: the queue is full"
    stack = "  at Relay.Queue.Push (System.String a) [0x00001] in <filename unknown>:0\n"
    last = f"[ERROR] FATAL UNHANDLED EXCEPTION: {thrown}\n{stack}"
    both = f"\nUnhandled Exception:\n{thrown}\n{stack}{last}"
    for said in (both, last, f"Unhandled Exception:\n{thrown}\n{last.partition(stack)[0]}"):
        assert SANITIZER.recognises(head(said.encode()))
        (found,) = crashes_of(SANITIZER, said.encode())
        assert found["code"] == "Relay.FullException"
        assert [one["function"] for one in found.get("frames", ())] == ["Push"] * (stack in said)
    other = last.replace("Relay.Full", "Relay.Empty")
    assert len(crashes_of(SANITIZER, (both + other).encode())) == 2


def test_a_log_writes_a_time_before_each_line_and_not_always_of_one_length():
    said = """\
2025-07-20 08:26:40.12 panic: queue
2025-07-20 08:26:40.1
2025-07-20 08:26:40.123 goroutine 1 [running]:
2025-07-20 08:26:40.123 main.push()
2025-07-20 08:26:40.1234 	/src/main.go:12 +0x2a
"""
    (crash,) = crashes_of(SANITIZER, said.encode())
    assert [frame["function"] for frame in crash["frames"]] == ["main.push"]
    assert crash["occurred_at"].startswith("2025-07-20")
    only_first = "2025-07-20 08:26:40 Unhandled exception. Relay.Full: queue\n   at Relay.Queue.Push(String a)\n"
    (crash,) = crashes_of(SANITIZER, only_first.encode())
    assert [frame["function"] for frame in crash["frames"]] == ["Push"]


def test_what_ant_writes_before_each_line_is_no_part_of_it():
    said = """\
    [junit] #
    [junit] # A fatal error has been detected by the Java Runtime Environment:
    [junit] #
    [junit] #  SIGSEGV (0xb) at pc=0x00007f313e7c7441, pid=258, tid=259
    [junit] #
    [junit] # Problematic frame:
    [junit] # V  [libjvm.so+0x99b441]  Queue::push(Node*)+0x11
"""
    (crash,) = crashes_of(SANITIZER, said.encode())
    assert (crash["code"], crash["frames"][0]["module"]) == ("SIGSEGV", "libjvm.so")


def test_steps_of_fuchsia_and_of_libraries_without_symbols_are_told():
    said = """\
==42== ERROR: libFuzzer: deadly signal
INFO: Seed: 1
==42== ERROR: libFuzzer: deadly signal
SUMMARY: libFuzzer: deadly signal
   #0    0x00005332f2cf10f1 in push(char const*) ../../src/queue.cc:12 <<application>>+0xad0f1
   #1    0x00007602e26925fe in start_main ../src/start.c:93 <libc.so>+0x975fe
   #2    0x7a3eccdc441f in libpthread.so.0
   #3    0x000000000333 in
"""
    (crash,) = crashes_of(SANITIZER, said.encode())
    steps = [(frame.get("module"), frame.get("function"), frame.get("offset")) for frame in crash["frames"]]
    assert steps == [
        (None, "push(char const*)", 0xAD0F1),
        ("libc.so", "start_main", 0x975FE),
        ("libpthread.so.0", None, None),
        (None, None, None),
    ]


REDIS_THREADS = """\
9:M 20 Jul 2025 08:26:40.123 # Redis 7.4.2 crashed by signal: 11, si_code: 1
9:M 20 Jul 2025 08:26:40.123 # Accessing address: 0x18

------ STACK TRACE ------
EIP:
/opt/relay/redis-server *:6379(relay_push+0x2e)[0x55c1b2e5b1ce]

18 bio_close_file
/lib/x86_64-linux-gnu/libc.so.6(+0x91117)[0x7f1dd9c0f117]
/opt/relay/redis-server *:6379(bioProcessBackgroundJobs+0x2c7)[0x55c1b2e5c1ce]

9 redis-server *
/lib/x86_64-linux-gnu/libc.so.6(+0x42520)[0x7f1dd9c0f730]
/opt/relay/redis-server *:6379(relay_push+0x2e)[0x55c1b2e5b1ce]
/opt/relay/redis-server *:6379(main+0x2e)[0x55c1b2e5b2ce]

17 bio_aof
/lib/x86_64-linux-gnu/libc.so.6(+0x91117)[0x7f1dd9c0f117]

3/3 expected stacktraces.

------ STACK TRACE DONE ------
"""
REDIS_AGAIN = """\
1:signal-handler (1753000000) Crashed running signal handler. Providing reduced version of recursive crash report.
1:M 20 Jul 2025 08:26:40.125 # valkey 8.1.0 crashed by signal: 11, si_code: 1
1:M 20 Jul 2025 08:26:40.125 # Accessing address: 0x18

------ STACK TRACE ------
EIP:
valkey-server *:6379(relay_tell+0x2e)[0x55c1b2e5b1ce]

"""


def test_redis_marks_the_thread_that_died():
    assert SANITIZER.recognises(head(REDIS_THREADS.encode()))
    (crash,) = crashes_of(SANITIZER, REDIS_THREADS.encode())
    assert (crash["code"], crash["module"]) == ("SIGSEGV", "redis-server")
    assert [frame["function"] for frame in crash["frames"]] == ["relay_push", "main"]


def test_a_fault_of_what_prints_redis_report_is_no_second_crash():
    said = f"{REDIS_THREADS}\n------ INFO OUTPUT ------\n{REDIS_AGAIN}{REDIS_AGAIN}"
    (crash,) = crashes_of(SANITIZER, said.encode())
    assert [frame["function"] for frame in crash["frames"]] == ["relay_push", "main"]
    (alone,) = crashes_of(SANITIZER, f"{REDIS_AGAIN}{REDIS_AGAIN}".encode())
    assert (alone["code"], alone["frames"][0]["function"]) == ("SIGSEGV", "relay_tell")
    assert len(crashes_of(SANITIZER, f"{REDIS_THREADS}\nstarted\n{REDIS_THREADS}".encode())) == 2


@pytest.mark.parametrize("first", ["[42] # ", "[42] 20 Jul 08:26:40.123 # ", ""])
def test_reports_of_old_redis_are_read(first):
    steps = "/opt/redis-server(relay_push+0x2e) [0x40f194]\n", "/opt/redis-server(main+0x2e) [0x40f194]\n"
    said = (
        "[42] 20 Jul 08:26:40.123 #     Redis 2.6.8 crashed by signal: 11\n[42] 20 Jul 08:26:40.123 # --- STACK TRACE\n"
    )
    before = first.replace("[42] # ", "[42] 20 Jul 08:26:40 # ")
    (crash,) = crashes_of(SANITIZER, (said + "".join(before + step for step in steps) + "# --- INFO\n").encode())
    assert [frame["function"] for frame in crash["frames"]] == ["relay_push", "main"]


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("[42] signal 11 (1): Segmentation fault", "SIGSEGV"),
        ("[42] signal 10 (2): Bus error: 10", "SIGBUS"),
        ("signal (11): Segmentation fault: 11", "SIGSEGV"),
        ("[42] signal 6 (-6): Aborted", "SIGABRT"),
    ],
)
def test_each_head_of_julia_is_known(line, code):
    said = JULIA.replace("[42] signal (11.1): Segmentation fault", line)
    (crash,) = crashes_of(SANITIZER, said.encode())
    assert (crash["code"], crash["frames"][0]["function"]) == (code, "relay_push")
    assert crash["os_type"] == "linux", "unless its files tell otherwise"


OPENJ9 = """\
Unhandled exception
Type=Segmentation error vmState=0x00000000
J9Generic_Signal_Number=00000018 Signal_Number=0000000b Error_Value=00000000 Signal_Code=00000001
Handler1=00007F1051E90DC0 Handler2=00007F105178D4C0 InaccessibleAddress=0000000000000018
RIP=00007F1051E6F0A4 GS=0000 FS=0000 RSP=00007F0FF31EF130
xmm0 0000000000000000 (f: 0.000000, d: 0.000000e+00)
Module=/srv/java/lib/default/librelay.so
Module_base_address=00007F1051E37000 Symbol=relay_push

Target=2_90_20240719_1 (Linux 6.1.0)
CPU=amd64 (2 logical CPUs) (0x1c4ab8000 RAM)
----------- Stack Backtrace -----------
protectedBacktrace+0x12 (0x00007F1051E6F0A1 [libj9prt29.so+0x477fa])
mainSynchSignalHandler+0xcb (0x00007F1051E6F0A2 [libj9prt29.so+0x2b049])
 (0x00007F1051E6F0A3 [libpthread.so.0+0x12b20])
relay_push+0x24 (0x00007F1051E6F0A4 [librelay.so+0x380a4])
(0x00007F1051E6F1B5 [libj9vm29.so+0x381b5])
---------------------------------------
JVMDUMP039I Processing dump event "gpf", detail "" at 2024/07/19 04:10:02 - please wait.
"""


def test_openj9_tells_its_fault_with_the_stack_below_its_handler():
    assert SANITIZER.recognises(head(OPENJ9.encode()))
    (crash,) = crashes_of(SANITIZER, OPENJ9.encode())
    assert (crash["code"], crash["module"], crash["os_type"]) == ("SIGSEGV", "librelay.so", "linux")
    assert [(frame["module"], frame["function"]) for frame in crash["frames"]] == [
        ("librelay.so", "relay_push"),
        ("libj9vm29.so", None),
    ]
    cut = OPENJ9.partition("Handler1=")[0]
    (crash,) = crashes_of(SANITIZER, cut.encode())
    assert (crash["code"], "frames" in crash) == ("SIGSEGV", False)
    windows = cut.replace("J9Generic_Signal_Number=00000018 Signal_Number=0000000b", "Windows_ExceptionCode=c0000005")
    assert [one["code"] for one in crashes_of(SANITIZER, windows.encode())] == ["0xc0000005"]
    within = OPENJ9.partition("mainSynch")[0]
    assert [one["module"] for one in crashes_of(SANITIZER, within.encode())] == ["librelay.so"], (
        "cut within the handler"
    )
    assert crashes_of(SANITIZER, OPENJ9.partition("J9Generic")[0].encode()) == []
