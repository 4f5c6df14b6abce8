"""Logs of containers, and exceptions that nobody caught in them and elsewhere."""

from __future__ import annotations

import json
import tracemalloc
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.formats.containers import CRI_LOG, DOCKER_LOG
from ingest.formats.format import Log
from ingest.formats.kernel_file import KERNEL_FILE
from ingest.formats.known import format_of
from ingest.formats.sanitizer import SANITIZER
from tests.ingest.formats.conftest import TOLD, crashes_of, head
from tests.ingest.formats.damage import changed, survives

AT = "2024-07-19T04:10:02.123456789Z"
LATER = "2024-07-19T04:10:09.5Z"

JAVA = """\
Exception in thread "main" java.lang.RuntimeException: cannot start
\tat com.acme.relay.Main.main(Main.java:9)
Caused by: java.lang.IllegalStateException: no room
\tat com.acme.relay.Queue.push(Queue.java:13)
\tat com.acme.relay.Main.start(Main.java:21)
\t... 1 more
"""
NET = """\
Unhandled exception. System.AggregateException: One or more errors occurred. (no room)
 ---> System.InvalidOperationException: no room
   at Acme.Relay.Queue.Push(String name) in /src/Queue.cs:line 12
   --- End of inner exception stack trace ---
   at Acme.Relay.Program.Main(String[] args) in /src/Program.cs:line 3
"""
SOCKET_NET = """\
Unhandled exception. System.IO.IOException: Failed to bind to address http://127.0.0.1:8080: address already in use.
 ---> Acme.Web.AddressInUseException: Address already in use
 ---> System.Net.Sockets.SocketException (98): Address already in use
   at System.Net.Sockets.Socket.Bind(EndPoint localEP)
"""
OLDER_NET = """\
Unhandled Exception:
System.InvalidOperationException: no room
  at Acme.Relay.Queue.Push (System.String name) [0x00001] in <0a1b>:0
"""
NODE = """\
/srv/relay/lib/queue.js:3
    throw new RangeError('no room')
    ^

RangeError: no room
    at push (/srv/relay/lib/queue.js:3:11)
    at Object.<anonymous> (/srv/relay/main.js:1:1)
    at node:internal/main/run_main_module:23:47 {
  code: 'E_FULL'
}

Node.js v18.17.0
"""
REJECTION = """\
node:internal/process/promises:288
            triggerUncaughtException(err, true /* fromPromise */);
            ^

[UnhandledPromiseRejection: This error originated either by throwing inside of an async function. The reason "boom".] {
  code: 'ERR_UNHANDLED_REJECTION'
}

Node.js v18.17.0
"""
RUBY = """\
/srv/relay/queue.rb:3:in `push': no room (RelayError)
\tfrom /srv/relay/main.rb:9:in `<main>'
"""
MEMORY = "Terminating due to java.lang.OutOfMemoryError: Java heap space\n"
INTERPRETER = """\
Fatal Python error: Segmentation fault

Current thread 0x00007f1c2d3e4f50 (most recent call first):
  File "/srv/relay/queue.py", line 9 in push
  File "/srv/relay/main.py", line 3 in <module>
"""
THREADS = """\
Fatal Python error: Segmentation fault

Thread 0x00007f1c8fe99640 [worker] (most recent call first):
  File "/usr/lib/python3.11/threading.py", line 327 in wait
  File "/srv/relay/worker.py", line 71 in next_item

Current thread 0x00007f1c901a2740 (most recent call first):
  File "/srv/relay/queue.py", line 9 in push
  File "/srv/relay/main.py", line 3 in <module>

Thread 0x00007f1c8fe99641 (most recent call first):
  File "/srv/relay/timer.py", line 5 in run

Extension modules: relay._native (total: 1)
"""
NET_FAULT = """\
Fatal error. System.AccessViolationException: Attempted to read or write protected memory.
Repeat 2 times:
--------------------------------
   at Acme.Relay.Native.Push(Byte*, IntPtr* ByRef)
--------------------------------
   at Acme.Relay.Program.Main(System.String[])
"""
NET_BROKEN = """\
Fatal error.
Internal CLR error. (0x80131506)
   at Acme.Relay.Queue.Push(System.String)
"""
NET_UNMAPPED = NET_BROKEN.replace("\nInternal CLR error. (0x80131506)", " The RW block to unmap was not found")
NET_OVERFLOW = """\
Stack overflow.
Repeated 12046 times:
--------------------------------
   at Acme.Relay.Tree.Walk(Acme.Relay.Node)
--------------------------------
   at Acme.Relay.Program.Main(System.String[])
"""
NET_ENDED = """\
Process terminated. the queue is gone
   at System.Environment.FailFast(System.String)
   at Acme.Relay.Queue.Push(System.String)
"""
NET_ASSERTION = """\
Process terminated. Assertion failed.
no room
   at Acme.Relay.Queue.Check(Byte[] b) in /src/Queue.cs:line 12
"""
RUBY_FAULT = """\
/srv/relay/queue.rb:88: [BUG] Segmentation fault at 0x0000000000000018
ruby 3.2.2 (2023-03-30 revision e51014f9c0) [x86_64-linux]

-- Control frame information -----------------------------------------------
c:0002 p:0012 s:0006 e:000005 EVAL   /srv/relay/queue.rb:88 [FINISH]

-- Ruby level backtrace information ----------------------------------------
/srv/relay/main.rb:9:in `<main>'
/srv/relay/queue.rb:88:in `parse'

-- Machine register context ------------------------------------------------
 RIP: 0x00007f1c8a842520 RBP: 0x00007ffd0a1b2c3d

-- C level backtrace information -------------------------------------------
/usr/lib/libruby.so.3.2(rb_vm_bugreport+0x9a4) [0x7f1c8fe99ef1] vm_dump.c:785
/usr/lib/libruby.so.3.2(rb_bug_for_fatal_signal+0xf8) [0x7f1c8fc8f1d8] error.c:813
/usr/lib/libruby.so.3.2(sigsegv+0x4d) [0x7f1c8fde5bcd] signal.c:964
/lib/x86_64-linux-gnu/libc.so.6(0x7f1c8f842520) [0x7f1c8f842520]
/srv/gems/relay.so(relay_parse+0x18) [0x7f1c8a842520]

-- Other runtime information -----------------------------------------------
* Loaded script: /srv/relay/main.rb
"""
GO = """\
panic: no room

goroutine 1 [running]:
main.(*Queue).Push(...)
\t/srv/relay/queue.go:10
main.main()
\t/srv/relay/main.go:7 +0x12
"""
RUST = """\
thread 'main' panicked at src/queue.rs:4:5:
no room
stack backtrace:
   0: relay::queue::push
             at ./src/queue.rs:4:5
   1: relay::main
             at ./src/main.rs:3:5
"""
PYTHON = """\
Traceback (most recent call last):
  File "/srv/relay/queue.py", line 9, in push
    raise Full()
    ^^^^^^^^^^^^
relay.queue.Full: no room

During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  File "/srv/relay/main.py", line 3, in <module>
    start()
  File "/srv/relay/start.py", line 7, in start
    push()
ValueError: cannot start
"""
EACH = {
    "java": (JAVA, "java.lang.IllegalStateException", "push"),
    "net": (NET, "System.InvalidOperationException", "Push"),
    "socket of net": (SOCKET_NET, "System.Net.Sockets.SocketException", "Bind"),
    "older net": (OLDER_NET, "System.InvalidOperationException", "Push"),
    "node": (NODE, "RangeError", "push"),
    "rejection": (REJECTION, "UnhandledPromiseRejection", None),
    "older rejection": (REJECTION.partition("\nNode.js")[0], "UnhandledPromiseRejection", None),
    "ruby": (RUBY, "RelayError", "push"),
    "memory": (MEMORY, "java.lang.OutOfMemoryError", None),
    "interpreter": (INTERPRETER, "SIGSEGV", "push"),
    "threads": (THREADS, "SIGSEGV", "push"),
    "fault of net": (NET_FAULT, "System.AccessViolationException", "Push"),
    "broken net": (NET_BROKEN, "Internal CLR error", "Push"),
    "unmapped net": (NET_UNMAPPED, "The RW block", "Push"),
    "overflow of net": (NET_OVERFLOW, "Stack overflow", "Walk"),
    "ended net": (NET_ENDED, "Process terminated", "FailFast"),
    "assertion of net": (NET_ASSERTION, "Assertion failed", "Check"),
    "fault of ruby": (RUBY_FAULT, "SIGSEGV", "relay_parse"),
    "go": (GO, "panic", "main.(*Queue).Push"),
    "rust": (RUST, "panic", "relay::queue::push"),
}
CONTAINERS_ALONE = {"python": (PYTHON, "ValueError", "start")}


def docker(said: str, at: str = AT, stream: str = "stderr") -> str:
    return "".join(
        f"{json.dumps({'log': line, 'stream': stream, 'time': at})}\n" for line in said.splitlines(keepends=True)
    )


def cri(said: str, at: str = AT, stream: str = "stderr") -> str:
    return "".join(f"{at} {stream} F {line}\n" for line in said.splitlines())


def shipped(said: str, at: str = AT, stream: str = "stderr") -> str:
    where = {"pod_name": "relay-7", "container_name": "relay", "host": "node-3", "labels": {"app": "relay"}}
    return "".join(
        f"{json.dumps({'@timestamp': at, 'log': line, 'stream': stream, 'kubernetes': where})}\n"
        for line in said.splitlines()
    )


def by_filebeat(said: str, at: str = AT, stream: str = "stderr") -> str:
    where = {"pod": {"name": "relay-7"}, "container": {"name": "relay"}, "node": {"name": "node-3"}}
    entry = {"@timestamp": at, "log": {"offset": 7}, "stream": stream, "kubernetes": where, "host": {"name": "shipper"}}
    return "".join(f"{json.dumps({**entry, 'message': line})}\n" for line in said.splitlines())


def by_google(said: str, at: str = AT, stream: str = "stderr") -> str:
    where = {"labels": {"pod_name": "relay-7", "container_name": "relay"}, "type": "k8s_container"}
    entry = {"insertId": "7", "logName": f"projects/acme/logs/{stream}", "resource": where, "timestamp": at}
    return "".join(f"{json.dumps({**entry, 'textPayload': line})}\n" for line in said.splitlines())


FORMS: dict[str, tuple[Log, Any]] = {
    "docker": (DOCKER_LOG, docker),
    "cri": (CRI_LOG, cri),
    "shipped": (DOCKER_LOG, shipped),
    "filebeat": (DOCKER_LOG, by_filebeat),
    "google": (DOCKER_LOG, by_google),
}


def one(format: Log, said: str) -> dict[str, Any]:
    (found,) = crashes_of(format, said.encode())
    return found


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", [*EACH, *CONTAINERS_ALONE])
def test_what_a_program_printed_when_it_crashed(form, name):
    format, written = FORMS[form]
    said, code, function = (EACH | CONTAINERS_ALONE)[name]
    data = written("started\n") + written(said)
    assert format.recognises(head(data.encode()))
    found = one(format, data)
    assert (found["code"], found["occurred_at"], found["time_quality"]) == (code, AT, "log")
    assert found["host_id"] == ("node-3" if form in ("shipped", "filebeat") else "h-told")
    assert (found["frames"][0]["function"] if found.get("frames") else None) == function


@pytest.mark.parametrize("name", EACH)
def test_a_programs_own_log_and_a_systems_tell_the_same(name):
    said, code, function = EACH[name]
    for before in ("", "relay-1  | ", f"{AT} ", "[pod/relay-7c5d4f9bd-aaa11/relay] ", f"[pod/relay-7/relay] {AT} "):
        found = one(SANITIZER, "".join(f"{before}{line}\n" for line in ["started", *said.splitlines(), "", "ended"]))
        assert (found["code"], (found.get("frames") or [{"function": None}])[0]["function"]) == (code, function)
    lines = ["started", *said.splitlines(), "ended"]
    found = one(KERNEL_FILE, "".join(f"Jul 19 04:10:02 web-1 relay[77]: {line}\n" for line in lines))
    assert (found["code"], found["host_id"], found["occurred_at"]) == (code, "web-1", "2026-07-19T04:10:02Z")


def test_the_message_is_that_of_the_exception_that_counts():
    tags = {name: one(SANITIZER, said)["tags"]["message"] for name, (said, *_) in EACH.items()}
    assert tags["java"] == "Caused by: java.lang.IllegalStateException: no room"
    assert tags["net"] == "---> System.InvalidOperationException: no room"
    assert (tags["node"], tags["ruby"]) == ("RangeError: no room", "no room")


def test_the_thread_of_python_that_died_is_the_current_one():
    assert [frame["module"] for frame in one(SANITIZER, THREADS)["frames"]] == ["relay/queue.py", "relay/main.py"]
    without = THREADS.replace('  File "/srv/relay/queue.py", line 9 in push\n', "  <no Python frame>\n").replace(
        '  File "/srv/relay/main.py", line 3 in <module>\n', ""
    )
    assert "frames" not in one(SANITIZER, without)
    assert "frames" not in one(SANITIZER, THREADS.replace("Current thread", "Thread")), "nobody says which"
    alone = one(SANITIZER, INTERPRETER.replace("Current thread", "Thread"))
    assert alone["frames"] == one(SANITIZER, INTERPRETER)["frames"]
    many = "".join(
        f'Thread 0x{number:016x} (most recent call first):\n  File "/srv/relay/worker.py", line 71 in wait\n\n'
        for number in range(300)
    )
    assert one(SANITIZER, THREADS.replace("Thread 0x", many + "Thread 0x", 1))["frames"][0]["function"] == "push"


@pytest.mark.parametrize(
    "said", [THREADS.partition("\nExtension")[0], INTERPRETER, RUBY_FAULT.partition("\n-- Other")[0]]
)
def test_blank_lines_behind_a_report_make_no_other_crash(said):
    assert one(SANITIZER, f"{said}\n\nstarted\n") == one(SANITIZER, f"{said}\n") == one(SANITIZER, said.rstrip())


def test_what_net_repeats_is_of_the_same_stack():
    assert [frame["function"] for frame in one(SANITIZER, NET_FAULT)["frames"]] == ["Push", "Main"]
    assert [frame["function"] for frame in one(SANITIZER, NET_OVERFLOW)["frames"]] == ["Walk", "Main"]


def test_of_ruby_the_stack_is_the_native_one_below_the_handler_or_else_the_scripts():
    found = one(SANITIZER, RUBY_FAULT)
    assert found["frames"] == [{"module": "relay.so", "function": "relay_parse", "offset": None}]
    script = one(SANITIZER, RUBY_FAULT.partition("-- Machine")[0])
    assert [frame["function"] for frame in script["frames"]] == ["parse", "<main>"]
    own = RUBY_FAULT.replace("Segmentation fault at 0x0000000000000018", "unknown type 0x1e (0xc given)")
    own = own.replace("/srv/relay/queue.rb:88: [BUG]", "[BUG]").replace("(sigsegv+0x4d)", "(rb_bug+0x4d)")
    assert (one(SANITIZER, own)["code"], one(SANITIZER, own)["frames"][0]["function"]) == (
        "unknown type",
        "relay_parse",
    )


def test_of_ruby_a_function_into_which_another_was_inlined_has_no_address():
    outer = "/usr/lib/libruby.so.3.2(rb_vm_bugreport) /tmp/ruby/vm_dump.c:1080\n/usr/lib/libruby.so.3.2(rb_bug_for"
    inner = "[0x7f1c8a842520] /srv/gems/relay.c:9\n/srv/gems/relay.so(relay_feed) /srv/gems/relay.c:177\n\n-- Other"
    said = RUBY_FAULT.replace("/usr/lib/libruby.so.3.2(rb_bug_for", outer)
    assert one(SANITIZER, said)["frames"] == one(SANITIZER, RUBY_FAULT)["frames"]
    found = one(SANITIZER, said.replace("[0x7f1c8a842520]\n\n-- Other", inner))
    assert [(frame["module"], frame["function"]) for frame in found["frames"]] == [
        ("relay.so", "relay_parse"),
        ("relay.so", "relay_feed"),
    ]


def test_what_others_write_behind_an_exception_does_not_change_what_it_is():
    alone, more = one(SANITIZER, JAVA), one(SANITIZER, f"{JAVA}2024-07-19 INFO restarted\n\tat noon\n")
    assert more == alone


@pytest.mark.parametrize(
    "said",
    [
        'Exception in thread "pool-1-thread-2" java.lang.IllegalStateException: x\n\tat a.B.c(B.java:1)\n',
        "main.c:3:5: error: x\n    3 |   x = y\n      |     ^\n    ^\nmake: failed\n",
        "Unhandled exception. System.X is what .NET prints.\n",
        "2024-07-19 ERROR Unhandled exception in request\n   at the door\n",
        "Process terminated.\nwaiting at the door\n",
        "Fatal error. No route to the queue.\n   at Acme.Relay.Queue.Push(String item)\n",
        "[BUG] the queue is slow\n",
        PYTHON,
    ],
)
def test_what_does_not_end_a_process_is_no_crash(said):
    assert crashes_of(SANITIZER, said.encode()) == []


@pytest.mark.parametrize("form", FORMS)
def test_of_python_what_others_lines_follow_is_none(form):
    format, written = FORMS[form]
    assert crashes_of(format, (written(PYTHON) + written("sys:1: ResourceWarning\n")).encode())
    assert not crashes_of(format, (written(PYTHON) + written("goes on\n", LATER)).encode())
    assert not crashes_of(format, written(PYTHON.replace("ValueError: cannot start", "KeyboardInterrupt")).encode())
    found = one(format, written(PYTHON) + written("goes on\n", LATER) + written(PYTHON, LATER))
    assert found["occurred_at"] == LATER


@pytest.mark.parametrize("file", ["0.log.20240719-041009", "0a1b-json.log.1", "0.log.20240719-041009.gz"])
def test_a_log_that_was_rotated_does_not_end_with_its_process(file):
    told = replace(TOLD, file=file)
    assert not crashes_of(CRI_LOG, cri(PYTHON).encode(), told=told)
    assert crashes_of(CRI_LOG, cri(JAVA).encode(), told=told)


def test_streams_are_apart():
    lines = [*zip(docker(JAVA).splitlines(), docker("GET / 200\n" * 6, stream="stdout").splitlines(), strict=True)]
    found = one(DOCKER_LOG, "".join(f"{err}\n{out}\n" for err, out in lines))
    assert len(found["frames"]) == 2


@pytest.mark.parametrize("written", [shipped, by_filebeat, by_google])
def test_containers_in_one_log_are_apart(written):
    one_pod, other = written(JAVA).splitlines(), written(JAVA).replace("relay-7", "relay-8").splitlines()
    mixed = "".join(f"{line}\n{beside}\n" for line, beside in zip(one_pod, other, strict=True))
    found = crashes_of(DOCKER_LOG, mixed.encode())
    assert [len(crash["frames"]) for crash in found] == [2, 2]


def test_lines_that_were_broken_are_put_together():
    head_line, rest = JAVA.split("\n", 1)
    parts = [
        json.dumps({"log": part, "stream": "stderr", "time": AT}) for part in (head_line[:20], f"{head_line[20:]}\n")
    ]
    assert one(DOCKER_LOG, "\n".join(parts) + "\n" + docker(rest)) == one(DOCKER_LOG, docker(JAVA))
    broken = f"{AT} stderr P {head_line[:20]}\n{AT} stderr F {head_line[20:]}\n{cri(rest)}"
    assert one(CRI_LOG, broken) == one(CRI_LOG, cri(JAVA))


def test_fluent_bit_tells_the_time_as_a_number():
    lines = [
        json.dumps({"date": 1721362202.5, "log": said, "kubernetes": {"host": "web-1"}}) for said in GO.split("\n")
    ]
    found = one(DOCKER_LOG, "\n".join(lines))
    assert (found["host_id"], found["occurred_at"]) == ("web-1", "2024-07-19T04:10:02.500000Z")


def test_postgres_writes_json_with_the_name_of_a_zone():
    said = {
        "timestamp": "2024-07-19 06:10:02.123 CEST", "pid": 1, "error_severity": "LOG", "backend_type": "postmaster",
        "message": "server process (PID 78) was terminated by signal 11: Segmentation fault", "detail": "it ran: a",
    }  # fmt: skip
    found = one(DOCKER_LOG, json.dumps(said))
    assert (found["code"], found["module"], found["tags"]["pid"]) == ("SIGSEGV", "postgres", "78")
    assert found["occurred_at"] == "2024-07-19T06:10:02.123+02:00"


def test_a_line_that_is_no_json_is_put_aside():
    found = crashes_of(DOCKER_LOG, (docker(JAVA) + '{"log": "torn').encode())
    assert [one for one in found if isinstance(one, bytes)] == [b'{"log": "torn']
    assert len(found) == 2


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b'{"record": "crash", "log": "x", "time": "2024-07-19T04:10:02Z"}\n',
        b'{"log": {"level": "debug"}, "stream": true}\n',
        b'{"message": "x", "@timestamp": "2024-07-19T04:10:02Z", "level": "info", "host": {"name": "web-1"}}\n',
        b'{"message": "x", "time": "2024-07-19T04:10:02Z"}\n',
        b"2024-07-19T04:10:02Z stderr is closed\n",
    ],
)
def test_others_are_not(data):
    assert format_of(head(data)) not in (DOCKER_LOG, CRI_LOG)


@given(st.binary(max_size=300) | changed(docker(JAVA).encode()) | changed(docker(PYTHON).encode()))
def test_no_bytes_break_docker(data):
    survives(DOCKER_LOG, data)


@given(st.binary(max_size=300) | changed(cri(NODE).encode()) | changed(cri(PYTHON).encode()))
def test_no_bytes_break_cri(data):
    survives(CRI_LOG, data)


@pytest.mark.variants
@pytest.mark.parametrize(
    "line",
    [
        cri("x" * 9000),
        cri("y" * 900).replace(" F ", " P "),
        cri("Traceback (most recent call last):\n  x\n"),
        cri("    ^"),
        cri(MEMORY),
    ],
)
def test_memory_is_bounded_whatever_comes(line):
    block = (line * (200_000 // len(line))).encode()
    tracemalloc.start()
    for _ in CRI_LOG.read(iter([cri(JAVA).encode(), *[block] * 3]), TOLD):
        pass
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8 << 20, "bytes"
