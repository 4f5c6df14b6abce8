"""Processes that die in the middle of it, and several at once."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from monitor.alerts import courier
from monitor.alerts.alerting import Alerting
from monitor.alerts.config import Config
from monitor.alerts.leader import Leader
from monitor.alerts.outbox import Outbox
from tests.monitor.alerts.conftest import PATIENCE_S, Told, document, incident, named, silent_until, webhook

ROOT = Path(__file__).parents[3]

# A process that tells of one document, with threads and all, until it is ended.
TELLS = """
import json, sys, threading
from pathlib import Path
from monitor.alerts.alerting import Alerting
from monitor.alerts.config import Config
from monitor.alerts.receivers import Endpoint, Webhook

root, address, found = sys.argv[1:]
with Alerting(Path(root), Config((Webhook("oncall", Endpoint(address)),))) as alerting:
    alerting.looked(json.loads(found), None)
    print("leads" if alerting.leads else "follows", flush=True)
    threading.Event().wait(120)
"""


def telling(root: Path, address: str, found: dict) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", TELLS, str(root), address, json.dumps(found)]
    return subprocess.Popen(command, cwd=ROOT, env=dict(os.environ), stdout=subprocess.PIPE, text=True)


@pytest.mark.slow
def test_kill_9_in_the_middle_of_sending_loses_nothing_and_changes_no_message(tmp_path, hook):
    held = threading.Event()
    hook.answers = [silent_until(held)] * 2
    found = document(named())
    for times in range(1, 3):
        with telling(tmp_path, hook.address, found) as running:
            hook.wait_for(times)  # it has sent, and waits for an answer
            running.send_signal(signal.SIGKILL)
            assert running.wait(PATIENCE_S) == -signal.SIGKILL
    with telling(tmp_path, hook.address, found) as running:
        hook.wait_for(3)
        running.terminate()
    held.set()
    assert hook.events == [("inc-1", "opened")] * 3
    assert len({one.body for one in hook.got}) == 1


def test_kill_9_lets_another_take_over_at_once(tmp_path, hook, clock):
    with telling(tmp_path, hook.address, document(incident())) as running:
        assert running.stdout is not None
        assert running.stdout.readline() == "leads\n"
        follower = Told(tmp_path, clock, webhook(hook))
        follower.found(named(), minute=11)
        assert not follower.alerting.leads
        hook.wait_for(1)
        running.send_signal(signal.SIGKILL)
        running.wait(PATIENCE_S)
    follower.alerting.step()
    assert follower.alerting.leads
    follower.sent()
    assert [event for _, event in hook.events][-1] == "updated"


def test_where_there_are_no_locks_trying_for_ever_opens_no_more_files(tmp_path, monkeypatch):
    Outbox(tmp_path).close()
    leader, opened = Leader(tmp_path), []

    def without(descriptor: int, _: int) -> None:
        opened.append(descriptor)
        raise OSError(errno.ENOLCK, "No locks available")  # as of some network file systems

    monkeypatch.setattr("fcntl.flock", without)
    for _ in range(3):
        with pytest.raises(OSError, match="No locks"):
            leader.take()
    assert len(set(opened)) == 1
    assert not leader.is_held


def test_of_two_monitors_one_tells(tmp_path, hook, clock):
    one, other = Told(tmp_path, clock, webhook(hook)), Told(tmp_path, clock, webhook(hook))
    for minute, state in ((10, incident()), (11, named()), (80, named(closed=80))):
        for each in (one, other):
            each.found(state, minute=minute)
            each.alerting.step()
        (one if one.alerting.leads else other).sent()
    assert [event for _, event in hook.events] == ["opened", "updated", "resolved"]
    assert (one.alerting.leads, other.alerting.leads) == (True, False)


def test_a_receiver_that_hangs_delays_neither_looks_nor_others(tmp_path, hooks, monkeypatch):
    monkeypatch.setattr(courier, "_GLANCE_S", 0.01)
    hangs, fine = hooks(), hooks()
    held = threading.Event()
    hangs.answers = [silent_until(held)]
    config = Config((webhook(hangs, "hangs"), webhook(fine, "fine")))
    with Alerting(tmp_path, config) as alerting:
        alerting.looked(document(incident()), None)
        hangs.wait_for(1)
        alerting.looked(document(named(), minute=11), None)  # returns, with one receiver still at the first
        fine.wait_for(1)
        with fine.came:
            fine.came.wait_for(lambda: fine.events[-1] == ("inc-1", "updated"), PATIENCE_S)
        assert fine.events[-1] == ("inc-1", "updated")
        assert len(hangs.got) == 1
        held.set()  # its thread ends with the others


def test_an_outbox_that_cannot_be_written_at_the_start_is_served_later(tmp_path, hook, clock):
    told = Told(tmp_path, clock, webhook(hook))
    told.alerting.outbox._file.execute("PRAGMA query_only = ON")
    told.found(incident())
    told.alerting.outbox._file.execute("PRAGMA query_only = OFF")
    told.found(incident(), minute=11)
    told.sent()
    assert hook.events == [("inc-1", "opened")]
    assert [one["name"] for one in told.alerting.outbox.receivers(clock())] == ["oncall"]


def test_an_outbox_that_cannot_be_written_does_not_end_the_loop(tmp_path, hook, clock, caplog):
    told = Told(tmp_path, clock, webhook(hook))
    told.found(incident())
    told.alerting.outbox._file.execute("PRAGMA query_only = ON")
    told.found(named(), minute=11)
    assert "is tried again" in caplog.text
    told.alerting.outbox._file.execute("PRAGMA query_only = OFF")
    told.alerting.step()
    told.sent()
    assert hook.events == [("inc-1", "updated")]
