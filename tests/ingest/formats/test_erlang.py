"""Erlang's machine as it ends; and AWS' runtime of Node."""

from __future__ import annotations

from functools import partial

import pytest

from ingest.formats.erlang import ERLANG_DUMP
from ingest.formats.known import format_of
from ingest.formats.sanitizer import SANITIZER
from tests.ingest.effort import costs_at_most
from tests.ingest.formats.conftest import crashes_of, head

SLOGAN = (
    "Kernel pid terminated (application_controller) ({application_start_failure,relay,{bad_return,{{relay_app,start,"
    "[normal,[]]},{'EXIT',{badarg,[{relay_queue,push,2,[{file,\"src/queue.erl\"},{line,3}]}]}}}}})"
)
DUMP = f"""\
=erl_crash_dump:0.5
Sun Jul 20 08:26:40 2025
Slogan: {SLOGAN}
System version: Erlang/OTP 26
Taints: crypto
=memory
total: 5
=proc:<0.1.0>
Slogan: of another
"""
LOG = f"""\
08:26:40.123 [error] CRASH REPORT Process <0.19.0> with 0 neighbours exited with reason: full in queue:push/2 line 3
{SLOGAN}

Crash dump is being written to: erl_crash.dump...done
"""


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ('{"init terminating in do_boot",WHY}\ninit terminating in do_boot (WHY)', "init terminating in do_boot"),
        ("Runtime terminating during boot (WHY)", "Runtime terminating during boot"),
    ],
)
def test_a_release_may_end_as_it_starts(said, code):
    data = said.replace("WHY", '{undef,[{relay_app,start,[],[]},{init,run,1,[{file,"i.erl"},{line,1}]}]}').encode()
    assert format_of(head(data)) is SANITIZER
    [found] = crashes_of(SANITIZER, data)
    assert (found["code"], found["module"]) == (code, "relay_app")


def test_a_dump_and_a_log_tell_where_it_was():
    assert format_of(head(DUMP.encode())) is ERLANG_DUMP
    assert format_of(head(LOG.encode())) is SANITIZER
    for format, said in ((ERLANG_DUMP, DUMP), (SANITIZER, LOG)):
        (crash,) = crashes_of(format, said.encode())
        assert crash["code"] == "Kernel pid terminated"
        assert [(frame["module"], frame["function"]) for frame in crash["frames"]][-1] == ("relay_queue", "push")
    assert crashes_of(ERLANG_DUMP, DUMP.encode())[0]["occurred_at"] == "2025-07-20T08:26:40Z"


def test_the_application_is_told_where_no_function_is():
    said = "Kernel pid terminated (application_controller) ({application_terminated,relay,killed})"
    (crash,) = crashes_of(SANITIZER, said.encode())
    assert (crash["module"], crash["code"]) == ("relay", "Kernel pid terminated")


def test_a_dump_may_stand_among_what_people_write():
    said = f"Our relay ends each night:\n\n{DUMP}\nWhat can we do?\n".encode()
    assert format_of(head(said)) is ERLANG_DUMP
    assert crashes_of(ERLANG_DUMP, said) == crashes_of(ERLANG_DUMP, DUMP.encode())


@pytest.mark.parametrize("before", ["{error_logger,{{2025,7,20},{8,26,40}},std_info,[relay]}\n", ""])
def test_a_machine_that_does_not_start_and_terms_before_its_end(before):
    said = SLOGAN.replace("Kernel pid terminated", "could not start kernel pid") if not before else SLOGAN
    assert format_of(head(f"{before}{said}\n".encode())) is SANITIZER
    (crash,) = crashes_of(SANITIZER, f"{before}{said}\n".encode())
    assert crash["code"] == ("Kernel pid terminated" if before else "could not start kernel pid")
    assert crash["module"] == "relay_app"


def test_a_machine_may_end_for_want_of_memory():
    said = DUMP.replace(SLOGAN, 'eheap_alloc: Cannot allocate 2280968 bytes of memory (of type "heap").')
    assert crashes_of(ERLANG_DUMP, said.encode())[0]["code"] == "out of memory"


def test_a_dump_that_somebody_asked_for_and_a_process_that_ends_are_no_crashes():
    for slogan in ("Received SIGUSR1", "Crash dump requested by user", "Crash dump requested by userSystem version: 1"):
        assert crashes_of(ERLANG_DUMP, DUMP.replace(SLOGAN, slogan).encode()) == []
    assert format_of(head(LOG.partition("\nKernel")[0].encode())) is None


def test_a_hostile_reason_takes_little_time():
    for piece in ("{a,b,", "{a,'b',[", "{'Elixir.A',"):
        said = DUMP.replace(SLOGAN, f"init terminating in do_boot ({piece * 10_000}").encode()
        costs_at_most(30, partial(crashes_of, ERLANG_DUMP, said))


ERROR = """\
{"errorType":"QueueError","errorMessage":"is \\"full\\"\\nSee:","stack":["QueueError: is full",\
"    at push (/var/task/queue.js:3:7)","    at start (file:///var/runtime/index.mjs:1084:17)"]}"""
PRETTY = ERROR.replace("{", "{\n    ").replace('",', '",\n    ').replace("}", "\n}")


@pytest.mark.parametrize("error", [f"\t{ERROR}", f"\n{PRETTY}", f"\t{ERROR[:150]}"], ids=["one line", "many", "cut"])
@pytest.mark.parametrize("what", ["Uncaught Exception", "Unhandled Promise Rejection"])
def test_what_ends_aws_runtime_of_node(what, error):
    said = f"START RequestId: 1\n2025-07-20T08:26:40.123Z\tundefined\tERROR\t{what} {error}\nEND RequestId: 1\n"
    assert format_of(head(said.encode())) is SANITIZER
    (crash,) = crashes_of(SANITIZER, said.encode())
    assert (crash["code"], crash["occurred_at"]) == ("QueueError", "2025-07-20T08:26:40.123Z")
    steps = [frame["function"] for frame in crash["frames"]]
    assert steps == ["push", "start"][: 1 if error.endswith("queue.js:3:7") else 2] or len(error) < 200


def test_an_error_that_a_function_answers_with_is_no_crash():
    said = f"2025-07-20T08:26:40.123Z\t77c628d3-d6cf-4643-88ac-bc9520ed3858\tERROR\tInvoke Error \t{ERROR}\n"
    assert format_of(head(said.encode())) is None
