"""Processes beside a command that serves: started again, and never left behind."""

from __future__ import annotations

import os
import sys
import threading

from commands import serving
from monitor.children import Children


def test_a_monitor_that_ends_by_itself_is_started_again(monkeypatch, caplog):
    monkeypatch.setattr(serving, "_GLANCE_S", 0.01)
    ended, started = threading.Event(), threading.Event()

    def start() -> None:
        beside.start("monitor", [sys.executable, "-c", "import time; time.sleep(600)"], environment=os.environ)
        started.set()

    with Children() as beside:
        beside.start("monitor", [sys.executable, "-c", "raise SystemExit(7)"], environment=os.environ)
        keeper = threading.Thread(target=serving._keep_monitor, args=(beside, start, ended))
        keeper.start()
        assert started.wait(60)
        ended.set()
        keeper.join(60)
        beside.check()  # the second one goes on
    assert "ended by itself with status 7" in caplog.text


def test_a_monitor_ends_with_the_process_that_started_it():
    stop = threading.Event()
    serving._stop_with(os.getppid() + 1, stop)
    assert stop.is_set()
