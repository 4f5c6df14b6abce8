"""The loop with somebody to tell: looks that fail are told, and tried again."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading

import pytest

from fleetcrash.errors import LakeError
from fleetcrash.store import Lake
from monitor import loop
from monitor.alerts.config import DeadMan
from monitor.alerts.following import Following
from monitor.loop import watch
from monitor.metrics import Metrics
from tests.fleetcrash.short import short_records
from tests.monitor.alerts.conftest import PATIENCE_S, Clock, Hook, Told, hooks, silent_until, webhook  # noqa: F401 - hooks is a fixture
from tests.monitor.test_loop import ROOT, Fleet


class Turning(threading.Event):
    """A stop that comes by itself after so many looks; between them a test turns the world.

    Args:
        between: what happens after each look; when they are used up, the watch is to end.
    """

    def __init__(self, *between) -> None:
        super().__init__()
        self._between = list(between)

    def wait(self, timeout=None) -> bool:
        if self._between:
            self._between.pop(0)()
        if not self._between:
            self.set()
        return self.is_set()


@pytest.fixture
def lake(tmp_path) -> Lake:
    return Lake.create(tmp_path / "lake")


def test_a_lake_that_cannot_be_read_is_told_and_looked_at_again(lake, hooks, caplog):  # noqa: F811
    hook: Hook = hooks()
    clock = Clock()
    told = Told(lake.root, clock, webhook(hook), dead_man=DeadMan(ticks_min=5.0))
    broken = lake.root / "batch" / "_delta_log" / f"{1:020}.json"

    def minutes(count: int) -> None:
        clock.passes(60.0 * count)
        told.alerting.step()
        told.sent()

    def breaks() -> None:
        broken.write_text("this is no commit")
        minutes(1)

    stop = Turning(lambda: minutes(1), breaks, lambda: minutes(5), broken.unlink, lambda: minutes(1))
    watch(lake, interval_s=0.0, stop=stop, alerting=told.alerting)
    assert hook.events == [("dead-man-ticks", "opened"), ("dead-man-ticks", "resolved")]
    assert "the last try failed: " in hook.documents[0]["summary"]
    assert "this look failed, and is tried again" in caplog.text


def test_a_panic_ends_a_look_and_not_the_watch(lake, monkeypatch, caplog):
    class PanicException(BaseException):
        """As what is written in Rust panics in Python: no Exception."""

    looks = []

    def look(self) -> None:
        looks.append(self)
        if len(looks) == 1:
            raise PanicException("a length is out of range")

    monkeypatch.setattr(loop.Monitor, "look", look)
    metrics = Metrics()
    watch(
        lake, interval_s=0.0, stop=Turning(lambda: None, lambda: None), alerting=Following(lake.root), metrics=metrics
    )
    assert len(looks) == 2
    assert looks[0] is not looks[1]
    assert "this look failed, and is tried again: a length is out of range" in caplog.text


def test_findings_that_cannot_be_compacted_are_no_failed_look(lake, monkeypatch, caplog):
    def merged_by_others(*_: object) -> None:
        raise LakeError("incident is being compacted by somebody else.")

    monkeypatch.setattr(loop, "compact", merged_by_others)
    monkeypatch.setattr(loop, "_COMPACT_EVERY", 1)
    growing, metrics = Fleet(lake, short_records()), Metrics()
    growing.tell(10)
    stop = Turning(lambda: growing.tell(20), lambda: None)
    watch(lake, interval_s=0.0, stop=stop, alerting=Following(lake.root), metrics=metrics)
    assert caplog.text.count("the findings could not be compacted: incident is being compacted") == 2
    assert "looks_failed_total 0" in metrics.text(None)


def test_a_watch_that_is_stopped_in_the_middle_of_a_look_ends(lake, hooks, monkeypatch):  # noqa: F811
    """An engine that is interrupted raises an error of its own, which is no failed look."""
    told = Told(lake.root, Clock(), webhook(hooks()))
    stop = threading.Event()

    def looked(*_: object) -> None:
        stop.set()
        raise RuntimeError("Query interrupted")

    monkeypatch.setattr(told.alerting, "looked", looked)
    with pytest.raises(RuntimeError, match="Query interrupted"):
        watch(lake, interval_s=0.0, stop=stop, alerting=told.alerting)


@pytest.mark.slow
def test_a_monitor_that_is_killed_while_it_sends_has_its_message_sent_by_the_next(lake, hooks, tmp_path):  # noqa: F811
    hook: Hook = hooks()
    held = threading.Event()
    hook.answers = [silent_until(held)]
    growing = Fleet(lake, short_records())
    growing.tell(30)
    (tmp_path / "who.toml").write_text(f'[receivers.oncall]\ntype = "webhook"\nurl = "{hook.address}"\n')
    command = [sys.executable, "-m", "cli", "monitor", "--lake", str(lake.root), "--interval", "0.1"]
    command += ["--alerts", str(tmp_path / "who.toml")]
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL) as running:
        hook.wait_for(1)
        running.send_signal(signal.SIGKILL)
    held.set()
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL) as running:
        hook.wait_for(2)
        running.send_signal(signal.SIGINT)
        assert running.wait(PATIENCE_S) == 0
    assert len(hook.got) == 2
    assert hook.got[0].body == hook.got[1].body
    (found,) = growing.newest()["incidents"]
    sent = hook.documents[0]
    assert {key: sent[key] for key in ("alert", "verdict", "update_id", "condition", "impact", "summary")} == {
        "alert": found["incident_id"],
        **{key: found[key] for key in ("verdict", "update_id", "condition", "impact", "summary")},
    }
