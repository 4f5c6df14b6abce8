"""The log of apport."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.formats.apport_log import APPORT_LOG
from ingest.formats.known import format_of
from tests.ingest.formats.conftest import crashes_of, head
from tests.ingest.formats.damage import changed, survives

OLD = """\
ERROR: apport (pid 811) Wed Nov  4 03:10:57 2026: called for pid 799, signal 11, core limit 0, dump mode 1
ERROR: apport (pid 811) Wed Nov  4 03:10:57 2026: executable: /opt/relay/bin/relayd (command line "relayd -f /home/r")
ERROR: apport (pid 811) Wed Nov  4 03:10:57 2026: debug: session gdbus call: (true,)

ERROR: apport (pid 811) Wed Nov  4 03:11:02 2026: wrote report /var/crash/_opt_relay_bin_relayd.0.crash
ERROR: apport (pid 902) Wed Nov  4 03:40:57 2026: called for pid 899, signal 3, core limit 0, dump mode 1
ERROR: apport (pid 902) Wed Nov  4 03:40:57 2026: executable: /usr/bin/java (command line "java")
"""
NEW = """\
INFO: apport (pid 811) 2026-11-04 03:10:57,640: called for global pid 799, signal 6, core limit 0, dump mode 1
INFO: apport (pid 902) 2026-11-04 03:10:57,641: called for pid 899, signal 7, core limit 0, dump mode 1
INFO: apport (pid 811) 2026-11-04 03:10:57,645: executable: /opt/relay/bin/relayd (command line "relayd")
"""


def test_each_process_that_a_fault_ended_is_a_crash_of_its_program():
    assert format_of(head(OLD.encode())) is APPORT_LOG
    (crash,) = crashes_of(APPORT_LOG, OLD.encode())
    assert (crash["code"], crash["module"], crash["domain"]) == ("SIGSEGV", "relayd", "user")
    assert (crash["occurred_at"], crash["time_quality"]) == ("2026-11-04T03:10:57Z", "log")
    assert crash["host_id"] == "h-told"
    assert crash["tags"] == {"exe": "relayd", "pid": "799"}


def test_lines_of_two_processes_may_stand_among_one_another_and_one_may_be_cut():
    found = crashes_of(APPORT_LOG, NEW.replace("\n", "\r\n").encode())
    assert [(one["code"], one.get("module"), one["tags"]["pid"]) for one in found] == [
        ("SIGABRT", "relayd", "799"),
        ("SIGBUS", None, "899"),
    ]
    assert {one["occurred_at"][:19] for one in found} == {"2026-11-04 03:10:57"}


def test_too_many_processes_do_not_wait_for_their_program():
    line = NEW.splitlines()[0]
    many = "\n".join(line.replace("pid 811", f"pid {at}") for at in range(300))
    assert len(crashes_of(APPORT_LOG, many.encode())) == 300


@pytest.mark.parametrize(
    "said", ["ERROR: apport (pid 1) x: called for pid 2, signal 11", "called for pid 2, signal 11"]
)
def test_other_texts_are_none(said):
    assert not APPORT_LOG.recognises(head(said.encode()))


@given(changed(OLD.encode()) | st.binary(max_size=100))
def test_no_damage_breaks_the_reading(data):
    survives(APPORT_LOG, data)
