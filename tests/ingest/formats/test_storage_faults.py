"""Faults that Ceph and MongoDB tell of themselves."""

from __future__ import annotations

import json
from functools import partial

import pytest

from ingest.formats.sanitizer import SANITIZER
from tests.ingest.effort import costs_at_most
from tests.ingest.formats.conftest import crashes_of, head

CEPH_STACK = """\
 in thread 7fd501047080 thread_name:ceph-osd

 ceph version 17.2.6 (0123456789abcdef) quincy (stable)
 1: /lib64/libpthread.so.0(+0x12b20) [0x7fd4fedaeb20]
 2: (Relay::push(std::vector<int, std::allocator<int> >&, unsigned long)+0x91) [0x562cbdfcaa61]
 3: ceph-osd(+0x57f956) [0x562384b76956]
 4: main()
 NOTE: a copy of the executable, or `objdump -rdS <executable>` is needed to interpret this.
"""
CEPH = f"2025-07-20T08:26:40.123+0000 7fd501047080 -1 *** Caught signal (Segmentation fault) **\n{CEPH_STACK}"
CEPH_DUMP = f"""\

--- begin dump of recent events ---
   -2> 2025-07-20T08:26:39.123+0000 7fd501047080 10 monclient: tick
debug     0> 2025-07-20T08:26:40.123+0000 7fd501047080 -1 *** Caught signal (Segmentation fault) **
{CEPH_STACK}
--- logging levels ---
   0/ 5 none
"""
MONGO = """\
2025-07-20T08:26:40.123+0000 F -        [conn1] Invalid access at address: 0x8
2025-07-20T08:26:40.123+0000 F -        [conn1] Got signal: 11 (Segmentation fault).

 0x55c1b2e5b1ce 0x55c1b2e5b1cf 0x7f1dd9c0f730
----- BEGIN BACKTRACE -----
{"backtrace":[{"b":"55C1B0000000","o":"2E5B1CE","s":"push"}]}
 mongod(printStackTrace+0x41) [0x55c1b2e5b1ce]
 mongod(+0x1d73e19) [0x55c1b2e5b1cf]
 libpthread.so.0(+0x11390) [0x7f1dd9c0f730]
 mongod(relay_push+0x21) [0x55c1b2e5b2ce]
 mongod(main+0x21) [0x55c1b2e5b3ce]
-----  END BACKTRACE  -----
"""


ELASTIC = """\
fatal error in thread [relay[node-1][search][T#6]], exiting
java.lang.IllegalStateException: wrapped
	at org.example.Relay.run(Relay.java:49)
Caused by: java.lang.InternalError: a fault occurred in an unsafe memory access operation
	at org.example.Queue.push(Queue.java:12)
	at org.example.Relay.run(Relay.java:40)
	... 3 more
"""


def _of_json(what, **attributes):
    said = {"t": {"$date": "2025-07-20T08:26:40.123+00:00"}, "s": "F", "c": "CONTROL", "id": 1, "ctx": "conn1"}
    return json.dumps(said | {"msg": what, "attr": attributes}, separators=(",", ":")) + "\n"


def _frame(name, base):
    return _of_json("Frame", frame={"a": "55C1", "b": base, "o": "2E5B1CE", "s": f"_ZN{name}", "C": name, "s+": "1F4"})


MONGO_JSON = "".join([
    _of_json("Writing fatal message", message="Got signal: 11 (Segmentation fault).\n"),
    _of_json("BACKTRACE", bt={"backtrace": [{"a": "55C1"}] * 400}),
    _frame("printStackTrace", "55C1"), _frame("handler", "55C1"), _frame("funlockfile", "7F1D"),
    _frame("relay_push", "55C1"), _frame("main", "55C1"),
    _of_json("Restarted"),
])  # fmt: skip


def test_ceph_tells_its_fault_with_the_stack_below_its_handler():
    assert SANITIZER.recognises(head(CEPH.encode()))
    (crash,) = crashes_of(SANITIZER, CEPH.encode())
    assert (crash["code"], crash["occurred_at"]) == ("SIGSEGV", "2025-07-20T08:26:40.123+00:00")
    assert [(frame.get("module"), frame.get("function"), frame.get("offset")) for frame in crash["frames"]] == [
        (None, "Relay::push(std::vector<int, std::allocator<int> >&, unsigned long)", None),
        ("ceph-osd", None, 0x57F956),
        (None, "main", None),
    ]


@pytest.mark.parametrize("prefix", ["", "relay-1  | ", "2025-07-20T08:26:40.505 INFO:tasks.relay.stderr:"])
def test_ceph_tells_each_fault_again_in_its_dump(prefix):
    def logged(said):
        return "".join(f"{prefix}{line}\n" for line in said.splitlines()).encode()

    (crash,) = crashes_of(SANITIZER, logged(CEPH + CEPH_DUMP))
    assert len(crash["frames"]) == 3
    (dump,) = crashes_of(SANITIZER, logged(CEPH_DUMP))
    assert dump["occurred_at"].startswith("2025-07-20T08:26:40")
    other = CEPH.replace("7fd501047080", "7fd501047999")
    assert len(crashes_of(SANITIZER, logged(CEPH + CEPH_DUMP + other))) == 2


def test_an_assertion_of_ceph_is_blamed_on_what_asserted():
    steps = (
        "gsignal()",
        "abort()",
        "(ceph::__ceph_assert_fail(char const*, int)+0x1a9) [0x562384b7678d]",
        "(push()+0x9)",
    )
    stack = "".join(f" {at}: {step}\n" for at, step in enumerate(steps, start=2))
    said = CEPH.replace("Segmentation fault", "Aborted").replace(" 2: (Relay", f"{stack} 6: (Relay")
    said = said.replace(" 3: ceph-osd", " 7: ceph-osd").replace(" 4: main", " 8: main")
    (crash,) = crashes_of(SANITIZER, said.encode())
    assert (crash["code"], len(crash["frames"])) == ("SIGABRT", 7)
    assert crash.get("module") is None, "what asserted names none"


@pytest.mark.parametrize("said", [MONGO, MONGO_JSON], ids=["text", "json"])
def test_mongodb_tells_its_fault_with_the_stack_below_its_handler(said):
    assert SANITIZER.recognises(head(said.encode()))
    (crash,) = crashes_of(SANITIZER, said.encode())
    assert (crash["code"], crash["os_type"]) == ("SIGSEGV", "linux")
    assert crash["occurred_at"].startswith("2025-07-20T08:26:40.123")
    assert [frame["function"] for frame in crash["frames"]] == ["relay_push", "main"]
    assert len(crashes_of(SANITIZER, f"{said}{said.replace('08:26', '09:26')}".encode())) == 2


@pytest.mark.parametrize("beside", ["", ',"a":"55C1"'], ids=["text", "json"])
def test_mongodb_tells_its_stack_on_one_line_too(beside):
    places = [("55C1", "printStackTrace"), ("55C1", None), ("7F1D", "funlockfile"), ("55C1", "push"), ("55C1", "main")]
    each = [f'"b":"{base}","o":"1CE"' + (f',"s":"{name}"' if name else "") + beside for base, name in places]
    told = '"backtrace":[{' + "},{".join(each) + "}]"
    head_of = (
        MONGO_JSON.partition("\n")[0] if beside else MONGO.partition("----- BEGIN")[0] + "----- BEGIN BACKTRACE -----"
    )
    line = (
        f'{{"t":{{"$date":"2025-07-20T08:26:40.123+00:00"}},"msg":"BACKTRACE","attr":{{{told}}}}}'
        if beside
        else f"{{{told},"
    )
    (crash,) = crashes_of(SANITIZER, f"{head_of}\n{line}\n".encode())
    assert [frame["function"] for frame in crash["frames"]] == ["push", "main"]
    (crash,) = crashes_of(SANITIZER, f"{head_of}\n{line.partition(',{')[0]}\n".encode())
    assert "frames" not in crash, "cut within the handler of the signal"


@pytest.mark.parametrize(
    "said",
    [
        CEPH.partition("\n")[0],
        "Got signal: 11 (Segmentation fault).",
        MONGO_JSON.partition("\n")[0],
        "Got signal: 11 (Segmentation fault).\n",
        "Got signal: 15 (Terminated).\n\nBacktrace:",
        _of_json("Client", doc={"msg": "it *** Caught signal (Aborted) **"}),
    ],
)
def test_a_head_alone_is_no_crash(said):
    said += "\nand so on\n"
    assert crashes_of(SANITIZER, said.encode()) == []


@pytest.mark.parametrize("piece", [" 1: (a", "a:", " 1: ", "(a)(", "a(b) [0x", '{"t":{"$date":"', " 1: a(+0x1) [0x1"])
def test_a_hostile_line_takes_little_time(piece):
    for said in (CEPH, MONGO, MONGO_JSON):
        costs_at_most(30, partial(crashes_of, SANITIZER, f"{said}{piece * 600}\n{said}{piece * 600}".encode()))


def test_elasticsearch_tells_an_error_that_ends_it_twice():
    logged = f"[2025-07-20T08:26:40,123][ERROR][o.e.b.UncaughtExceptionHandler] [node-1] {ELASTIC}"
    for said in (ELASTIC, logged, logged + ELASTIC):
        assert SANITIZER.recognises(head(said.encode()))
        (crash,) = crashes_of(SANITIZER, said.encode())
        assert (crash["code"], crash["module"]) == ("java.lang.InternalError", "org.example.Queue")
        assert [frame["function"] for frame in crash["frames"]] == ["push", "run"]
        assert said is ELASTIC or crash["occurred_at"].startswith("2025-07-20T08:26:40.123")
    other = ELASTIC.replace("T#6", "T#7")
    assert len(crashes_of(SANITIZER, (logged + ELASTIC + other).encode())) == 2
    bare = ELASTIC.replace("\t", "")
    assert len(crashes_of(SANITIZER, bare.encode())[0]["frames"]) == 2, "journals lose tabs"
    assert crashes_of(SANITIZER, ELASTIC.splitlines()[0].encode()) == []
