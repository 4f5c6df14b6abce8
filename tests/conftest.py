"""Lakes for all tests; and a test marked ``browser`` has a Chromium to drive, or is skipped and the summary says so."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from fleetcrash.store import Lake

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # as the front door has it; read when numpy is imported
settings.register_profile("fleetcrash", deadline=None, derandomize=True)  # no test is timed, and seeds are fixed
settings.load_profile("fleetcrash")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
_LONG = tuple(
    f"tests/{one}/"
    for one in ("fleetcrash/attribution", "browser", "monitor", "sample_data", "fleetcrash/gate", "sql", "dashboard")
)
_SHORT = "tests/ingest/formats/"  # many files of a second or two, to share out what is left of the time
_MEMORY = Path("/dev/shm")  # Linux's folder in memory
_MEMORY_BYTES = 4_000_000_000  # far more than all tests hold at once
_NOT_RUN = pytest.StashKey[str]()


@pytest.fixture(scope="session")
def empty_lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lake without a record. For copying, which takes a tenth of making one; nobody writes to it."""
    from fleetcrash.store import Lake

    return Lake.create(tmp_path_factory.mktemp("empty") / "lake").root


@pytest.fixture
def lake(tmp_path: Path, empty_lake: Path) -> Lake:
    """A lake without a record, for one test."""
    from fleetcrash.store import Lake

    # Files as young as the test: the copied ones may be older than what a compaction takes for abandoned.
    return Lake(Path(shutil.copytree(empty_lake, tmp_path / "lake", copy_function=shutil.copy)))


@pytest.fixture(scope="session")
def chromium_path() -> str:
    """Executable of the system's Chromium, for Playwright's ``executable_path``."""
    if CHROMIUM is None:
        pytest.skip("no Chromium here")
    return CHROMIUM


def pytest_addoption(parser: pytest.Parser) -> None:
    """``--share K/N`` runs one of N shares of the tests."""
    parser.addoption("--share", metavar="K/N", help="only the K-th of N shares of the tests, counted from zero")


def pytest_configure() -> None:
    """Have lakes in memory where there is room and nobody chose another place: a disk may take two milliseconds to
    delete a file, and a lake has dozens.
    """
    if "TMPDIR" in os.environ or not os.access(_MEMORY, os.W_OK):
        return
    if shutil.disk_usage(_MEMORY).free >= _MEMORY_BYTES:
        os.environ["TMPDIR"] = str(_MEMORY)  # for the processes that tests start, too
        tempfile.tempdir = None  # looked up again


@pytest.hookimpl(tryfirst=True)  # before tests are picked by their marks
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Begin with the folders whose tests take longest and end with those of the shortest, so that no process is left
    alone with one of them; skip the browser tests where no browser can be driven.
    """
    _mark_variants(items)
    _keep_share(config, items)
    items.sort(key=lambda item: (not item.nodeid.startswith(_LONG), item.nodeid.startswith(_SHORT)))
    marked = [item for item in items if item.get_closest_marker("browser")]
    missing = _missing() if marked else None
    if missing is None:
        return
    for item in marked:
        item.add_marker(pytest.mark.skip(reason=missing))
    config.stash[_NOT_RUN] = f"{len(marked)} browser tests: {missing}"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say loudly, right above the closing line, what was not run."""
    not_run = terminalreporter.config.stash.get(_NOT_RUN, None)
    if not_run is not None:
        terminalreporter.section("NOT RUN", sep="!", red=True, bold=True)
        terminalreporter.line(not_run)


def _mark_variants(items: list[pytest.Item]) -> None:
    """Of a test that is marked ``variants`` all but the first are slow."""
    seen = set()
    for item in items:
        if item.get_closest_marker("variants"):
            test = item.nodeid.partition("[")[0]
            if test in seen:
                item.add_marker(pytest.mark.slow)
            seen.add(test)


def _keep_share(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what is of another share than the one that was asked for; which one a test is of, its name tells."""
    wanted = config.getoption("share")
    if wanted is None:
        return
    number, _, shares = wanted.partition("/")
    mine: list[pytest.Item] = []
    others: list[pytest.Item] = []
    for item in items:
        (mine if zlib.crc32(item.nodeid.encode()) % int(shares) == int(number) else others).append(item)
    config.hook.pytest_deselected(items=others)
    items[:] = mine


def _missing() -> str | None:
    """What a browser test would lack here, and how Debian gets it; None when nothing is missing."""
    if CHROMIUM is None:
        return "no Chromium was found (Debian: apt-get install chromium)"
    driver = subprocess.run([sys.executable, "-m", "playwright", "--version"], capture_output=True, check=False)
    if driver.returncode != 0:
        return "Playwright's driver does not start (Debian: apt-get install libatomic1)"
    return None
