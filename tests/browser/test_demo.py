"""The demo as a stranger meets it: one command, the culprit named on a live page, a link to pass on, Ctrl-C."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Browser, Page, expect

from dashboard.wording import whom
from sample_data.sample import SAMPLE
from tests.browser.conftest import PATIENCE_MS, Watched, choose, rows_of

pytestmark = pytest.mark.browser

ROOT = Path(__file__).parents[2]
TRUTH = json.loads((SAMPLE / "truth.json").read_text(encoding="utf-8"))
NAMED_WITHIN_MS = 120_000
ENDS_WITHIN_S = 20


class Demo:
    """The command at work, in a lake of its own.

    Attributes:
        address: what it printed for the browser.
    """

    def __init__(self, lake: Path, errors: Path) -> None:
        self._lake = lake
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = str(free.getsockname()[1])
        command = [sys.executable, "-m", "cli", "demo", "--no-browser"]
        command += ["--speed", "240", "--port", port, "--lake", str(lake)]
        environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
        # A shell that runs the tests in the background has Ctrl-C ignored, and children inherit that.
        before = signal.signal(signal.SIGINT, signal.default_int_handler)
        with errors.open("wb") as log:
            self.process = subprocess.Popen(
                command,
                cwd=ROOT,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        signal.signal(signal.SIGINT, before)
        self.address = self.printed(r"^Dashboard: (http://127\.0\.0\.1:\d+/\S*)$")

    def printed(self, wanted: str) -> str:
        """The first group of the next line that matches."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if found := re.match(wanted, line):
                return found[1]
        raise AssertionError(f"the demo ended with status {self.process.wait()} before it printed {wanted}")

    def processes(self) -> list[str]:
        """Command lines of all processes that have its lake, itself among them."""
        listed = subprocess.run(["ps", "-ww", "-eo", "args="], capture_output=True, text=True, check=True).stdout
        return [line for line in listed.splitlines() if str(self._lake) in line]


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[Demo]:
    """A demo, played fast."""
    errors = tmp_path / "stderr"
    started = Demo(tmp_path / "lake", errors)
    yield started
    if started.process.poll() is None:  # only where the test failed before it ended the demo
        started.process.terminate()
        started.process.wait(timeout=ENDS_WITHIN_S)
    assert started.process.stdout is not None
    started.process.stdout.close()
    assert "Traceback" not in errors.read_text(encoding="utf-8")


@pytest.mark.slow
def test_the_demo_names_the_culprit_is_filtered_shared_and_ended(demo: Demo, chromium: Browser):
    origin = "http://" + urlsplit(demo.address).netloc
    watched = Watched(chromium, origin)
    page = watched.open(demo.address.removeprefix(origin))

    guilty = TRUTH["guilty"]
    named = page.locator(".fc-banner", has_text=f"{guilty} (content update) is crashing")
    expect(named).to_contain_text(whom(TRUTH["condition"]), timeout=NAMED_WITHIN_MS)
    expect(named).to_contain_text("At risk")
    expect(page.locator(".fc-card").nth(2)).to_contain_text(guilty, timeout=PATIENCE_MS)

    version = rows_of(page, "Crash rate by agent version").first.locator("td").first.inner_text()
    choose(page, "OS", "Windows")
    choose(page, "Agent version", version)
    choose(page, "Exposed to update", guilty)
    narrowed = f"Showing only Windows, agent {version}, exposed to {guilty}."
    _shows(page, narrowed, version)
    chosen = {"range": ["6h"], "os": ["Windows"], "agent": [version], "update": [guilty]}
    assert parse_qs(urlsplit(page.url).query) == chosen

    fresh = Watched(chromium, origin)
    copied = fresh.open(page.url.removeprefix(origin))
    _shows(copied, narrowed, version)
    assert parse_qs(urlsplit(copied.url).query) == chosen
    demo.printed(rf"^Alert received: inc-\S+ (?:opened|updated)\. ({guilty} \(content\) crashes .*)$")
    assert (watched.outside, watched.errors, fresh.outside, fresh.errors) == ([], [], [], [])

    assert len(demo.processes()) == 3  # the demo, the dashboard, the monitor
    demo.process.send_signal(signal.SIGINT)  # with both pages still open
    assert demo.process.wait(timeout=ENDS_WITHIN_S) == 0
    assert demo.processes() == []
    fresh.context.close()
    watched.context.close()


def _shows(page: Page, narrowed: str, version: str) -> None:
    expect(page.locator(".fc-narrowed")).to_have_text([narrowed], timeout=PATIENCE_MS)
    expect(page.locator(".fc-legend")).to_have_text(["Windows"])
    expect(rows_of(page, "Crash rate by agent version")).to_have_count(1)
    expect(rows_of(page, "Crash rate by agent version")).to_contain_text([version])
