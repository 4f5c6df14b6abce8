"""Programs of Python in a system's log: a traceback is a crash where systemd says that its service exited."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.formats import services
from ingest.formats.journal import JOURNAL
from ingest.formats.kernel_file import KERNEL_FILE
from ingest.formats.known import format_of
from ingest.formats.services import Services
from tests.ingest.formats.conftest import crashes_of, head
from tests.ingest.formats.test_containers import PYTHON
from tests.ingest.formats.test_journal import entry

EXITED = "relay.service: Main process exited, code=exited, status=1/FAILURE"


def syslog(said: str, writer: str = "python3[812]", at: str = "04:10:02", host: str = "web-1") -> str:
    return "".join(f"Jul 19 {at} {host} {writer}: {line}\n" for line in said.splitlines())


UP = syslog("Started relay.service - Relay.", "systemd[1]", "04:09:00")
TRACEBACK = syslog(PYTHON)
END = syslog(EXITED, "systemd[1]")


def crashes(*lines: str) -> list[dict]:
    return crashes_of(KERNEL_FILE, "".join(lines).encode())


@pytest.mark.parametrize("end", [END, END.replace("Main", "main"), syslog(EXITED, "systemd[1]", "04:10:05")])
def test_a_service_that_ends_with_a_traceback(end):
    data = UP + TRACEBACK + end
    assert format_of(head(data.encode())) is KERNEL_FILE
    (crash,) = crashes(data)
    assert (crash["host_id"], crash["occurred_at"], crash["code"]) == ("web-1", "2026-07-19T04:10:02Z", "ValueError")
    assert [frame["function"] for frame in crash["frames"]] == ["start", "<module>"]
    assert crash["tags"]["pid"] == "812"


def test_lines_of_others_stand_between():
    mixed = [one for line in TRACEBACK.splitlines(keepends=True) for one in (line, syslog("hello", "cron[9]"))]
    other = syslog(PYTHON, "relay2[900]", host="web-2")
    assert crashes(UP, *mixed, other, END) == crashes(UP, TRACEBACK, END)


def test_syslogs_new_form_says_the_same():
    def new(said: str, writer: str) -> str:
        return "".join(f"<27>1 2026-07-19T04:10:02Z web-1 {writer} {line}\n" for line in said.splitlines())

    end = new(EXITED, 'systemd 1 - [origin software="rsyslogd"]')
    (crash,) = crashes(new("Started relay.service - Relay.", "systemd 1 - -"), new(PYTHON, "python3 812 - -"), end)
    (told,) = crashes(UP, TRACEBACK, END)
    assert crash == told


@pytest.mark.parametrize(
    "message",
    ["url\n  Field required\n    See https://a.example", "LINE 1: SELECT 1\n             ^\n\n[SQL: SELECT 1]"],
)
def test_a_message_may_have_more_lines(message):
    (crash,) = crashes(UP, syslog(PYTHON + message), END)
    assert (crash["code"], crash["tags"]["message"]) == ("ValueError", "ValueError: cannot start")


def test_a_journal_says_the_same():
    common = {"_MACHINE_ID": "m1", "__REALTIME_TIMESTAMP": "1721362202000000"}
    entries = [{**common, "_PID": "812", "MESSAGE": line} for line in PYTHON.splitlines()]
    end = {**common, "_PID": "1", "MESSAGE": EXITED}
    (crash,) = crashes_of(JOURNAL, b"".join(map(entry, [*entries, end])))
    assert (crash["host_id"], crash["occurred_at"], crash["code"]) == ("m1", "2024-07-19T04:10:02Z", "ValueError")
    (at_once,) = crashes_of(JOURNAL, entry({**common, "_PID": "812", "MESSAGE": PYTHON}) + entry(end))
    assert at_once["frames"] == crash["frames"]
    assert crashes_of(JOURNAL, b"".join(map(entry, [*entries, {**end, "_PID": "9"}]))) == []


@pytest.mark.parametrize(
    "lines",
    [
        [TRACEBACK],
        [TRACEBACK, syslog("goes on"), END],
        [TRACEBACK, syslog(EXITED, "systemd[1]", "04:10:09")],
        [TRACEBACK, END.replace("web-1", "web-2")],
        [TRACEBACK, END.replace("status=1/FAILURE", "status=0/SUCCESS")],
        [TRACEBACK, END.replace("code=exited, status=1/FAILURE", "code=killed, status=9/KILL")],
        [TRACEBACK, syslog(EXITED, "relay[7]")],
        [syslog(PYTHON.rpartition("ValueError")[0]), END],
    ],
)
def test_what_goes_on_or_ends_otherwise_is_no_crash(lines):
    assert crashes(UP, *lines) == []


def test_an_end_is_of_one_program_and_of_the_last():
    found = crashes(TRACEBACK, syslog(PYTHON.replace("ValueError", "KeyError"), "relay[900]"), END)
    assert [(crash["code"], crash["tags"]["pid"]) for crash in found] == [("KeyError", "900")]


def test_few_programs_are_held_at_once(monkeypatch):
    monkeypatch.setattr(services, "_MOST_PROGRAMS", 3)
    told = Services()
    for pid in map(str, range(50)):
        told.feed(("h", pid), PYTHON.splitlines()[0], None)
    assert len(told._of) == 3


@given(st.lists(st.sampled_from([*(UP + TRACEBACK + END).splitlines(keepends=True), syslog("x"), syslog("")])))
def test_no_order_of_lines_breaks_it(lines):
    assert len(crashes(*lines)) <= lines.count(END)
