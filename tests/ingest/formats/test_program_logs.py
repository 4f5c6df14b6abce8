"""Logs of programs that crash: when it was by the lines before, and what ends a process in which language."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.formats.known import format_of, format_within
from ingest.formats.log_stamps import stamp_in
from ingest.formats.python_log import PYTHON_LOG
from ingest.formats.sanitizer import SANITIZER
from tests.ingest.formats.conftest import TOLD, crashes_of, head
from tests.ingest.formats.damage import changed, survives
from tests.ingest.formats.test_containers import JAVA, PYTHON

GO = "panic: no room\n\ngoroutine 1 [running]:\nmain.push()\n\t/srv/relay/queue.go:12 +0x1d\n"
LOGGED = "2024-07-19 04:10:02,123 INFO relay.queue: pushed 7\n"
FAILED = "2024-07-19 04:10:02,123 ERROR relay.queue: cannot push\n"
STARTS = "2024-07-19 04:10:09,001 INFO relay: starting relay 3.2\n"
ENDED = LOGGED * 3 + PYTHON
STARTED_ANEW = LOGGED + PYTHON + STARTS + LOGGED
PHP = """\
[19-Jul-2024 06:10:01 Europe/Berlin] PHP Notice:  Undefined variable: x in /srv/relay/src/Queue.php on line 3
[19-Jul-2024 06:10:02 Europe/Berlin] PHP Fatal error:  Uncaught Acme\\Full: no room in /srv/relay/src/Queue.php:12
Stack trace:
#0 /srv/relay/src/Main.php(9): Acme\\Queue->push()
#1 {main}
  thrown in /srv/relay/src/Queue.php on line 12
"""
PHP_LIMIT = (
    "[19-Jul-2024 04:10:02 UTC] PHP Fatal error:  Allowed memory size of 134217728 bytes exhausted"
    " (tried to allocate 20480 bytes) in /srv/relay/src/Queue.php on line 44\n"
)
SPRING = """\
2024-07-19T04:10:02.123Z ERROR 7 --- [relay] [           main] o.s.boot.SpringApplication               : Application run failed

com.acme.relay.StartException: cannot start
\tat com.acme.relay.Main.main(Main.java:9) ~[classes/:na]
Caused by: java.lang.IllegalStateException: no room
\tat com.acme.relay.Queue.push(Queue.java:13) ~[classes/:na]
\t... 1 common frames omitted

"""  # noqa: E501


def one(said: str) -> Any:
    """The one crash of a log of a program."""
    format = format_of(head(said.encode()))
    assert format in (SANITIZER, PYTHON_LOG)
    (crash,) = crashes_of(format, said.encode(), block_bytes=100)
    return crash


@pytest.mark.parametrize(
    ("line", "at"),
    [
        ("2024-07-19 04:10:02,123 INFO up", "2024-07-19T04:10:02.123Z"),
        ("2024-07-19T06:10:02.123456789+02:00 up", "2024-07-19T06:10:02.123456+02:00"),
        ("2024-07-19 04:10:02 +0000 [info]: up", "2024-07-19T04:10:02+00:00"),
        ("2024/07/19 04:10:02 up", "2024-07-19T04:10:02Z"),
        ("I, [2024-07-19T04:10:02.123456 #7]  INFO -- : up", "2024-07-19T04:10:02.123456Z"),
        ("[2024-07-19 04:10:02 UTC] up", "2024-07-19T04:10:02Z"),
        ("2024-07-19 06:10:02.123 CEST [7] LOG:  up", "2024-07-19T06:10:02.123+02:00"),
        ("2024-07-19 06:10:02+02 up", "2024-07-19T06:10:02+02:00"),
        ("2024-07-19 04:10:02 INFO up", "2024-07-19T04:10:02Z"),
        ("2024-07-19 04:10:02 XST up", "2024-07-19T04:10:02Z"),
        ("19-Jul-2024 04:10:02.440 general: up", "2024-07-19T04:10:02Z"),
        ("  78:20240719:041002.440 up", "2024-07-19T04:10:02Z"),
        ("E [19/Jul/2024:06:10:02 +0200] [Job 1] up", "2024-07-19T04:10:02Z"),
        ("Jul 19 2024 04:10:02 GMT: WARNING up", "2024-07-19T04:10:02Z"),
        ("INFO  2024-07-19 04:10:02 up", "2024-07-19T04:10:02Z"),
        ("[19-Jul-2024 06:10:02 Europe/Berlin] up", "2024-07-19T04:10:02Z"),
        ("relay-1  | 2024-07-19 06:10:02 +0200 up", "2024-07-19T06:10:02+02:00"),
        ("relay_1  | [2024-07-19 04:10:02] up", "2024-07-19T04:10:02Z"),
        ("240719  4:10:02 [ERROR] up", "2024-07-19T04:10:02Z"),
        ("240719 14:10:02 [ERROR] up", "2024-07-19T14:10:02Z"),
        ("240739 14:10:02 of an order", None),
        ("1240719 14:10:02 of an order", None),
        ("[31-Jun-2024 06:10:02 UTC] up", None),
        ("[19-Jul-2024 06:10:02 Nowhere/Else] up", None),
        ("[19-Jul-2024 06:10:02 ../../etc/passwd] up", None),
        ("04:10:02.123 [main] up", None),
        ("the release of 2024-07-19 was at 4", None),
        ("a word that is long enough to be no level 2024-07-19 04:10:02", None),
    ],
)
def test_a_line_tells_when_it_was_written(line, at):
    assert stamp_in(line) == at


def test_a_crash_was_when_the_line_before_it_was_written():
    crash = one(LOGGED + "still up\n" + JAVA + STARTS)
    assert (crash["occurred_at"], crash["time_quality"]) == ("2024-07-19T04:10:02.123Z", "log")


def test_each_crash_of_a_program_that_is_started_anew_counts():
    again = (LOGGED + JAVA + STARTS).encode() + (LOGGED + JAVA).replace("04:10:02", "04:10:11").encode()
    found = crashes_of(SANITIZER, again)
    assert [crash["occurred_at"] for crash in found] == ["2024-07-19T04:10:02.123Z", "2024-07-19T04:10:11.123Z"]
    assert len({crash["crash_id"] for crash in found}) == 2


def test_a_log_without_times_tells_none():
    assert one("up\n" + JAVA)["occurred_at"] == one(JAVA)["occurred_at"] == "2026-11-25T12:00:00Z"


def test_php_tells_where_it_threw():
    crash = one(PHP)
    assert (crash["code"], crash["occurred_at"], crash["module"]) == (
        "Acme\\Full",
        "2024-07-19T04:10:02Z",
        "src/Queue.php",
    )
    assert [frame["function"] for frame in crash["frames"]] == ["Acme\\Queue->push", "{main}"]
    plain = one(PHP.splitlines(keepends=True)[1].partition("] ")[2].replace("PHP ", "") + PHP.partition(":12\n")[2])
    assert (plain["code"], plain["frames"]) == (crash["code"], crash["frames"])


def test_a_limit_of_php_ends_its_script():
    crash = one(PHP_LIMIT)
    assert (crash["code"], crash.get("frames", [])) == ("Allowed memory size exhausted", [])


def test_a_start_that_failed_is_told_by_its_framework():
    crash = one(SPRING)
    assert (crash["code"], crash["occurred_at"]) == ("java.lang.IllegalStateException", "2024-07-19T04:10:02.123Z")
    assert [frame["function"] for frame in crash["frames"]] == ["push"]
    outer = one(SPRING.partition("Caused by")[0])
    assert (outer["code"], len(outer["frames"])) == ("com.acme.relay.StartException", 1)


@pytest.mark.parametrize(
    "said",
    [
        PYTHON,
        ENDED,
        FAILED + PYTHON,
        STARTED_ANEW,
        LOGGED + PYTHON + "relay exited with code 1\n" + LOGGED,
        LOGGED + PYTHON + "  in a message\n  of many lines\n",
        f"It fails:\n```\n$ relay\n{PYTHON}```\nWhat can we do?\n",
        f"It fails:\n\n~~~\n{PYTHON}~~~\n",
        f"<pre>\n{PYTHON}</pre>\n",
        LOGGED + PYTHON + "[SQL: SELECT 1]\n(Background on this error at: https://a.example)\n",
        "INFO:relay:up\n" + PYTHON + "url\n  Field required\n",
        PYTHON + "note: the queue was full\n",
        LOGGED + PYTHON + "[SQL: SELECT 1]\nrelay exited with code 1\n" + LOGGED,
        LOGGED + PYTHON.replace(": cannot start", ":") + "\nPLEASE READ THIS\n\nThe queue is full.\n",
        "".join(f"2024-07-19T04:10:02Z {line}\n" for line in PYTHON.splitlines()),
        "".join(f"relay-1  | {line}\n" for line in (LOGGED + PYTHON).splitlines()),
    ],
)
def test_a_traceback_that_ends_a_process(said):
    crash = one(said)
    assert (crash["code"], [frame["function"] for frame in crash["frames"]]) == ("ValueError", ["start", "<module>"])


@pytest.mark.parametrize(
    "said",
    [
        FAILED + PYTHON + LOGGED,
        LOGGED + PYTHON + LOGGED,
        FAILED + PYTHON + STARTS,
        FAILED + PYTHON + "[SQL: SELECT 1]\n" + LOGGED,
        LOGGED + PYTHON + "a line\n" * 41,
        "up\n" + PYTHON + "will retry in 5 s\n",
        LOGGED + "Exception in thread Thread-1 (run):\n" + PYTHON,
        "Exception ignored in: <function Queue.__del__ at 0x7f10>\n" + PYTHON,
        LOGGED + PYTHON.replace("ValueError: cannot start", "KeyboardInterrupt"),
        f"It logs:\n```\n{FAILED}{PYTHON}```\nWhat can we do?\n",
        f"It prints:\n{PYTHON}```\nrelay\n```\n",
        LOGGED + PYTHON.rpartition("ValueError")[0],
    ],
)
def test_a_traceback_of_a_program_that_goes_on_or_was_stopped(said):
    assert format_of(head(said.encode())) is None


HANDLED = PYTHON.replace("    push()\n", "    push()\n    ^^^^^^\n") + LOGGED
NODE_HANDLED = (
    "Error: socket hang up\n    at socketOnEnd (node:_http_client:519:23)\n    at emit (node:events:531:35)\n"
)
COMPILED = "relay.c:3:5: error: expected ';'\n    3 |     push()\n      |           ^\n1 error generated.\n"


@pytest.mark.parametrize(
    "said",
    [
        HANDLED + FAILED + "java.io.IOException: no room\n\tat com.acme.relay.Queue.push(Queue.java:13)\n" + LOGGED,
        HANDLED + FAILED + NODE_HANDLED + LOGGED,
        "".join(f"relay-1  | {line}\n" for line in (HANDLED + NODE_HANDLED).splitlines()),
        COMPILED + NODE_HANDLED,
    ],
    ids=["java", "node", "compose", "clang"],
)
def test_what_others_than_node_mark_in_a_line_begins_no_report(said):
    assert format_of(head(said.encode())) is None


def test_nor_does_it_hide_what_follows():
    crash = one(HANDLED + GO)
    assert (crash["code"], crash["frames"][0]["function"]) == ("panic", "main.push")


def test_a_log_that_was_rotated_ends_elsewhere():
    assert crashes_of(PYTHON_LOG, ENDED.encode(), told=replace(TOLD, file="relay.log.1")) == []
    assert len(crashes_of(PYTHON_LOG, STARTED_ANEW.encode(), told=replace(TOLD, file="relay.log.1"))) == 1


@pytest.mark.parametrize("said", [ENDED, STARTED_ANEW])
def test_a_traceback_far_down_in_a_log(said):
    data = (LOGGED * 5000 + said).encode()
    assert format_of(head(data)) is None
    blocks = [data[at : at + 100_000] for at in range(0, len(data), 100_000)]
    assert format_within(blocks) is PYTHON_LOG
    assert len(crashes_of(PYTHON_LOG, data)) == 1


@given(st.binary(max_size=300) | changed(ENDED.encode()) | changed(STARTED_ANEW.encode()) | changed(PHP.encode()))
def test_no_bytes_break_it(data):
    survives(PYTHON_LOG, data)
    survives(SANITIZER, data)


GROUP = """\
  + Exception Group Traceback (most recent call last):
  |   File "/srv/relay/main.py", line 3, in <module>
  |     main()
  |   File "/srv/relay/main.py", line 12, in main
  |     raise ExceptionGroup("two", found)
  | ExceptionGroup: two (2 sub-exceptions)
  +-+---------------- 1 ----------------
    | Exception Group Traceback (most recent call last):
    |   File "/srv/relay/work.py", line 4, in work
    | ExceptionGroup: one (1 sub-exception)
    +-+---------------- 1 ----------------
      | Traceback (most recent call last):
      |   File "/srv/relay/queue.py", line 7, in push
      |     raise ValueError("full")
      | ValueError: full
      +------------------------------------
    +---------------- 2 ----------------
    | Traceback (most recent call last):
    |   File "/srv/relay/queue.py", line 9, in pull
    | KeyError: 2
    +------------------------------------
"""


@pytest.mark.parametrize("said", [GROUP, LOGGED + GROUP, LOGGED + GROUP + STARTS])
def test_of_a_group_of_exceptions_the_first_counts(said):
    assert format_of(head(said.encode())) is PYTHON_LOG
    (crash,) = crashes_of(PYTHON_LOG, said.encode())
    assert (crash["code"], crash["module"]) == ("ValueError", "relay/queue.py")
    assert [frame["function"] for frame in crash["frames"]] == ["push"]


def test_a_group_without_their_tracebacks_counts_itself():
    said = (
        GROUP.partition("  +-+")[0] + "  +-+---------------- 1 ----------------\n    | ValueError: full\n    +------\n"
    )
    (crash,) = crashes_of(PYTHON_LOG, said.encode())
    assert [frame["function"] for frame in crash["frames"]] == ["main", "<module>"]
    assert crashes_of(PYTHON_LOG, (FAILED + GROUP + LOGGED).encode()) == []


JOINED_PHP = (
    "[19-Jul-2024 04:10:02 UTC] PHP Fatal error:  Uncaught Acme\\Full: no room in /srv/relay/src/Queue.php:12 "
    "Stack trace: #0 /srv/relay/src/Main.php(9): Acme\\Queue->push() #1 {main}   thrown in /srv/relay/src/Queue.php on"
    " line 12\n"
)
JOINED_NET = (
    "Unhandled exception. Acme.FullException: no room    at Acme.Queue.Push(String s) in /src/Queue.cs:line 12"
    "    at Acme.Main.Run()\n"
)
TO_NGINX = """\
2024/07/19 04:10:02 [error] 7#7: *1 FastCGI sent in stderr: "PHP message: PHP Fatal error:  Uncaught Acme\\Full: \
no room in /srv/relay/src/Queue.php:12
Stack trace:
#0 /srv/relay/src/Main.php(9): Acme\\Queue->push()
#1 {main}
  thrown in /srv/relay/src/Queue.php on line 12" while reading response header from upstream, client: 192.0.2.7
"""


@pytest.mark.parametrize(
    ("said", "code", "called"),
    [
        (JOINED_PHP, "Acme\\Full", ["Acme\\Queue->push", "{main}"]),
        (TO_NGINX, "Acme\\Full", ["Acme\\Queue->push", "{main}"]),
        (JOINED_NET, "Acme.FullException", ["Push", "Run"]),
    ],
)
def test_an_exception_that_others_logged_or_joined_into_a_line(said, code, called):
    assert format_of(head(said.encode())) is SANITIZER
    (crash,) = crashes_of(SANITIZER, f"{said}and so on\n".encode())
    assert crash["code"] == code
    assert [frame["function"] for frame in crash["frames"]] == called
    assert crash["occurred_at"].startswith("2024-07-19") == (said != JOINED_NET)
    assert "192.0.2.7" not in str(crash)


def test_a_joined_line_without_a_stack_is_no_crash():
    for said in (JOINED_PHP.partition("#0")[0], JOINED_NET.partition("   at")[0]):
        assert crashes_of(SANITIZER, f"{said}\nand so on\n".encode()) == []


RUBY = """\
lib/db.rb:8:in `rescue in connect': no queue (RuntimeError)
\tfrom lib/db.rb:5:in `connect'
\tfrom bin/run:4:in `<main>'
"""
RUBY_CAUSE = """\
lib/db.rb:6:in `open': no room (Errno::ENOSPC)
\tfrom lib/db.rb:6:in `connect'
\tfrom bin/run:4:in `<main>'
"""


def test_what_ruby_says_next_is_the_cause_and_no_second_crash():
    crash = one(RUBY + RUBY_CAUSE)
    assert (crash["code"], crash["frames"][0]["function"]) == ("Errno::ENOSPC", "open")
    for twice in (RUBY + LOGGED + RUBY_CAUSE, RUBY + RUBY, RUBY + RUBY_CAUSE.replace("<main>", "<top (required)>")):
        assert len(crashes_of(SANITIZER, twice.encode())) == 2


@pytest.mark.parametrize(
    ("place", "function"),
    [
        ("bin/run", "open"),
        ("<internal:/usr/lib/ruby/rubygems/kernel_require.rb>", "<main>"),
        ("<internal:io>", "<main>"),
    ],
)
def test_a_script_of_rubys_may_have_any_name_and_a_library_of_its_own_none(place, function):
    crash = one(f"{place}:85:in `open': no room (IOError)\n\tfrom bin/run:4:in `<main>'\n")
    assert (crash["code"], crash["frames"][0]["function"]) == ("IOError", function)


RUST = "thread 'tokio-worker' panicked at src/pool.rs:90:18:\nindex out of bounds: the len is 3\n"


def test_a_panic_of_any_thread_counts_if_it_aborts():
    assert format_of(head((RUST + LOGGED).encode())) is None
    crash = one(f"{RUST}{RUST}thread caused non-unwinding panic. aborting.\n")
    assert crash["code"] == "panic"
