"""A real browser on the real app, served as the command line serves it."""

from __future__ import annotations

import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Locator, Page, Request, sync_playwright

from dashboard.serve import command, environment
from tests.dashboard.fleet import incident, outage, tick

ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
READY_WITHIN_S = 60
PATIENCE_MS = 60_000  # for what a page shows, on a machine that is busy with other tests


class Watched:
    """A page of its own context, and what it did that it should not.

    Attributes:
        outside: addresses asked for that are not ours. errors: what the console complained of.
    """

    def __init__(self, browser: Browser, address: str, **context: object) -> None:
        self.address = address
        self.outside: list[str] = []
        self.errors: list[str] = []
        settings = {"viewport": {"width": 1440, "height": 900}, **context}
        self.context = browser.new_context(**settings)  # type: ignore[arg-type]
        self.page: Page = self.context.new_page()
        self.page.set_default_timeout(PATIENCE_MS)
        self.page.on("request", self._requested)
        self.page.on("console", self._complained)
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))

    def open(self, path: str = "/") -> Page:
        """Go to a path of the app."""
        self.page.goto(self.address + path)
        return self.page

    def _requested(self, request: Request) -> None:
        parts = urlsplit(request.url)
        if parts.scheme not in ("data", "blob") and parts.hostname != "127.0.0.1":
            self.outside.append(request.url)

    def _complained(self, message: ConsoleMessage) -> None:
        # Streamlit looks for its server below the path of a page before the root: two 404s that are not ours.
        probe = "_stcore" in str(message.location.get("url", ""))
        if message.type == "error" and not probe:
            self.errors.append(message.text)


@pytest.fixture(scope="session")
def app_address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of an app on a small lake with an open incident."""
    lake = outage(tmp_path_factory.mktemp("browser") / "lake")
    tick(lake, [incident()])
    with serving(lake.root, tmp_path_factory.mktemp("cwd")) as address:
        yield address


class serving:
    """An app on a lake for as long as the block lasts."""

    def __init__(self, lake: Path, folder: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self._port = free.getsockname()[1]
        self._log = folder / "log"
        self._lake, self._folder = lake, folder

    def __enter__(self) -> str:
        self._output = self._log.open("wb")
        self._process = subprocess.Popen(
            command(self._lake, port=self._port),
            env=environment(self._lake),
            cwd=self._folder,
            stdout=self._output,
            stderr=subprocess.STDOUT,
        )
        address = f"http://127.0.0.1:{self._port}"
        deadline = time.monotonic() + READY_WITHIN_S
        while not _healthy(address):
            if self._process.poll() is not None or time.monotonic() > deadline:
                pytest.fail(f"the app did not start: {self._log.read_text()[-2000:]}")
            self._waited()
        return address

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait(timeout=20)
        self._output.close()
        assert "Traceback" not in self._log.read_text()

    def _waited(self) -> None:
        try:
            self._process.wait(timeout=0.2)
        except subprocess.TimeoutExpired:
            return


def _healthy(address: str) -> bool:
    try:
        with urllib.request.urlopen(f"{address}/_stcore/health", timeout=2) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def choose(page: Page, label: str, option: str) -> None:
    """Choose an option in a filter, by typing it as well: a live list may move under the pointer."""
    page.get_by_label(label, exact=False).first.click()
    page.keyboard.type(option)
    page.get_by_role("option", name=option, exact=True).click()
    page.keyboard.press("Escape")


def rows_of(page: Page, title: str) -> Locator:
    """The rows of the table of that title."""
    return page.locator(".fc", has=page.get_by_role("heading", name=title, exact=True)).locator("tbody tr")


@pytest.fixture(scope="session")
def chromium(chromium_path: str) -> Iterator[Browser]:
    """The system's Chromium."""
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=chromium_path, args=ARGUMENTS)
        yield started
        started.close()


@pytest.fixture
def watched(chromium: Browser, app_address: str) -> Iterator[Watched]:
    """A page that must not ask outside, nor complain."""
    watched = Watched(chromium, app_address)
    yield watched
    watched.context.close()
    assert watched.outside == []
    assert watched.errors == []
