"""What launchd and systemctl tell of services."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.formats.kernel_file import KERNEL_FILE
from ingest.formats.known import format_of
from ingest.formats.service_managers import LAUNCHD_LOG, SYSTEMCTL
from tests.ingest.effort import costs_at_most
from tests.ingest.formats.conftest import crashes_of, head
from tests.ingest.formats.damage import changed, survives

OLD = """\
Nov  3 10:11:11 mac-17 com.apple.xpc.launchd[1] (org.relay.helper[77]): Service exited with abnormal code: 1
Nov  3 10:11:12 mac-17 com.apple.xpc.launchd[1] (org.relay.agent[78]): Service exited due to signal: Segmentation fault: 11 sent by exc handler[78]
Nov  3 10:11:12 mac-17 ReportCrash[99]: Saved crash report for agent[78] version 1.0 to /Library/Logs/agent.crash
Nov  3 10:11:13 mac-17 com.apple.launchd[1] (org.relay.other[79]): Job appears to have crashed: Abort trap: 6
Nov  3 10:11:14 mac-17 com.apple.xpc.launchd[1] (org.relay.third[80]): Service exited due to signal: Terminated: 15
"""  # noqa: E501
NEW = """\
Timestamp                       Thread     Type        Activity             PID    TTL
2026-11-03 10:11:12.123456+0200 0x1a2b     Default     0x0                  1      0    launchd: [system/org.relay.agent [78]:] exited due to SIGSEGV | sent by exc handler[78], ran for 1234ms
2026-11-03 10:11:12.223456+0200 0x1a2b     Default     0x0                  1      0    launchd: [gui/501/org.relay.other [79]:] exited due to SIGKILL | sent by kernel
"""  # noqa: E501
STATE = """\
$ systemctl status relay@3
● relay@3.service - The relay
     Loaded: loaded (/usr/lib/systemd/system/relay@.service; enabled; preset: enabled)
     Active: failed (Result: core-dump) since Tue 2026-11-03 10:11:12 CET; 3min ago
   Duration: 1.234s
    Process: 78 ExecStart=/opt/relay/bin/relayd -f /home/rita/secret (code=dumped, signal=SEGV)
   Main PID: 78 (code=dumped, signal=SEGV)
        CPU: 12ms
"""
JOURNAL = """
Nov 03 10:11:12 web-1 relayd[78]: on fire
Nov 03 10:11:12 web-1 systemd[1]: relay@3.service: Main process exited, code=dumped, status=11/SEGV
"""


def test_launchd_tells_which_job_a_fault_ended():
    assert format_of(head(OLD.encode())) is LAUNCHD_LOG
    first, second = crashes_of(LAUNCHD_LOG, OLD.encode())
    assert (first["code"], first["module"], first["os_type"]) == ("SIGSEGV", "agent", "darwin")
    assert (first["host_id"], first["occurred_at"]) == ("mac-17", "2026-11-03T10:11:12Z")
    assert first["tags"] == {"service": "org.relay.agent", "pid": "78"}
    assert (second["code"], second["module"]) == ("SIGABRT", "other")


def test_a_log_without_such_a_line_is_read_as_other_systems_are():
    said = "".join(line for line in OLD.splitlines(keepends=True) if "signal:" not in line and "crashed" not in line)
    assert format_of(head(said.encode())) is KERNEL_FILE


@pytest.mark.parametrize(
    ("label", "name"),
    [
        ("org.relay.agent", "agent"),
        ("org.relay.agent.27728", "agent"),
        ("application.org.relay.agent.8628724025.8628724030", "agent"),
        ("org.relay.agent.0F8A1C1E-7D52-4be5-9c6a-2f0a64b1d001", "agent"),
        ("com.apple.xpc.launchd.oneshot.0x10000052.agent", "agent"),
        ("27728", "27728"),
    ],
)
def test_launchd_numbers_what_it_starts_and_may_name_the_signal(label, name):
    said = f"Nov  3 10:11:12 mac-17 com.apple.xpc.launchd[1] ({label}[78]): Service exited due to SIGSEGV"
    for line in (said, f"{said} | sent by exc handler[78]", f"In the system's log: {said}", f"_{said}_"):
        assert format_of(head(line.encode())) is LAUNCHD_LOG
        (crash,) = crashes_of(LAUNCHD_LOG, line.encode())
        assert (crash["code"], crash["module"]) == ("SIGSEGV", name)
        assert (crash["host_id"], crash["occurred_at"]) == ("mac-17", "2026-11-03T10:11:12Z")
        assert crash["tags"] == {"service": label, "pid": "78"}
    assert crashes_of(LAUNCHD_LOG, said.replace("SIGSEGV", "SIGKILL | sent by mds[9]").encode()) == []


def test_newer_logs_of_launchd_tell_the_signal_by_its_name():
    assert format_of(head(NEW.encode())) is LAUNCHD_LOG
    (crash,) = crashes_of(LAUNCHD_LOG, NEW.encode())
    assert (crash["code"], crash["module"], crash["host_id"]) == ("SIGSEGV", "agent", "h-told")
    assert crash["occurred_at"] == "2026-11-03 10:11:12.123456+02:00"


def test_systemctl_tells_how_a_service_ended():
    assert format_of(head(STATE.encode())) is SYSTEMCTL
    (crash,) = crashes_of(SYSTEMCTL, STATE.encode())
    assert (crash["code"], crash["module"], crash["os_type"]) == ("SIGSEGV", "relayd", "linux")
    assert (crash["occurred_at"], crash["time_quality"]) == ("2026-11-03 10:11:12+01:00", "log")
    assert crash["tags"] == {"unit": "relay@3.service", "pid": "78"}
    assert len(crashes_of(SYSTEMCTL, (STATE + STATE.replace("@3", "@4")).encode())) == 2


def test_where_the_journal_is_below_it_tells_more():
    data = (STATE + JOURNAL).encode()
    assert format_of(head(data)) is KERNEL_FILE
    (crash,) = crashes_of(KERNEL_FILE, data)
    assert (crash["host_id"], crash["code"]) == ("web-1", "SIGSEGV")


@pytest.mark.parametrize(
    "said",
    [
        STATE.replace("core-dump", "exit-code").replace("dumped, signal=SEGV", "exited, status=1/FAILURE"),
        STATE.replace("SEGV", "KILL"),
        STATE.replace("failed (Result: core-dump)", "active (running)"),
    ],
)
def test_other_ends_of_services_are_none(said):
    assert crashes_of(SYSTEMCTL, said.encode()) == []


@pytest.mark.parametrize("piece", ["  Process: 78 " + "(code=" * 300, "Nov  3 10:11:12 " + "a." * 120, "[" * 300])
@pytest.mark.parametrize("format", [LAUNCHD_LOG, SYSTEMCTL])
def test_a_hostile_text_takes_little_time(format, piece):
    said = ("● a.service\n" + f"{piece}\n" * 2000).encode()
    costs_at_most(100, lambda: (format.recognises(head(said)), crashes_of(format, said)))


@given(changed((OLD + NEW + STATE).encode()) | st.binary(max_size=100))
def test_no_damage_breaks_the_reading(data):
    survives(LAUNCHD_LOG, data)
    survives(SYSTEMCTL, data)
