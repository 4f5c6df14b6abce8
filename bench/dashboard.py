"""How fast are the pages on a large lake, and what do many viewers cost?

    python -m bench.dashboard --crashes 10000000

Makes a lake of crashes over four weeks, serves it as the command line does, and looks at it with Chromium:

    start      from the command to the first page that is whole
    paint      from the address of the overview, in a fresh browser, to its curve, cards and clusters
    filter     from the click on an OS, agent version or update to the cards and the curve that follow it, each for the
               first time
    whole      from the same click to the last table
    first      from the click that leads to each page to all of it, charts too, when nobody has asked for it before
    pages      the same once its questions have been asked, so that the server has the answers
    opened     then from the address of each page to its last table, in a new tab of a browser that was here
    charts     and to its last chart, if it has one; a new tab takes in Plotly first
    viewers    share of a core that the server takes while so many browsers watch, and how its memory grew

Prints one JSON line: medians and 95th percentiles in seconds, and the seconds of CPU that the server took for each. The
figures of the server need Linux. Everything here is synthetic.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import statistics
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, BrowserContext, Page, ViewportSize, expect, sync_playwright

from bench.dashboard_lake import AGENT_VERSIONS, DAYS, large_lake
from dashboard.serve import command, environment
from fleetcrash.store import Lake
from fleetcrash.store.aggregates import Aggregates

_EXPOSED_TO = 2  # of the newest updates, some hosts still are
_VIEWPORT: ViewportSize = {"width": 1440, "height": 900}
_READY_S = 900
_ROUNDS = 5
_SHOWN_S = 120  # a page that has not changed by then never will
_CHROMIUM = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]

_AT_REST = '[data-testid="stApp"][data-test-script-state="notRunning"]'
# Times are those of the page's own clock: what a test driver takes to click, or to look again, nobody waits for.
# Notes when the last table of a page came, and its last chart if it has one; and when the last click was.
_NOTE_CONTENT = """(() => {
  window.fcContent = {};
  addEventListener("click", () => window.fcContent = {click: performance.now()}, {capture: true});
  const parts = {tables: ".fc table", charts: ".stPlotlyChart .main-svg"};
  new MutationObserver((changes) => {
    const added = changes.flatMap(({addedNodes}) => [...addedNodes]).filter((node) => node.matches);
    for (const [name, part] of Object.entries(parts))
      if (added.some((node) => node.matches(part) || node.querySelector(part)))
        window.fcContent[name] = window.fcContent.last = performance.now();
  }).observe(document, {subtree: true, childList: true});
})()"""

# Notes when there is a click, when the cards and the curve follow it, and when the last table does.
_NOTE_REDRAWING = """() => {
  const noted = window.fcRedrawn = {};
  document.addEventListener("click", () => noted.click = performance.now(), {capture: true, once: true});
  const watch = new MutationObserver((changes) => {
    if (!noted.click) return;
    const cards = document.querySelector(".fc-cards");
    if (!noted.cards && cards?.textContent.includes("(filtered)")) noted.cards = performance.now();
    const within = (part) => changes.some(({target}) => target.closest?.(part));
    if (!noted.curve && within(".scatterlayer")) noted.curve = performance.now();
    const rests = document.querySelector(".stApp").dataset.testScriptState === "notRunning";
    if (noted.cards && noted.curve && rests) {
      noted.last = performance.now();
      watch.disconnect();
    }
  });
  watch.observe(document.body, {subtree: true, childList: true, attributes: true, characterData: true});
}"""


@contextmanager
def served(lake: Lake, folder: Path) -> Iterator[tuple[str, int]]:
    """The app on the lake: its address and process."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            command(lake.root, port=port), env=environment(lake.root), stdout=log, stderr=log, cwd=folder
        )
    try:
        address = f"http://127.0.0.1:{port}"
        deadline = time.monotonic() + _READY_S
        while not _healthy(address) and time.monotonic() < deadline:
            time.sleep(0.2)
        yield address, process.pid
    finally:
        process.terminate()
        process.wait(timeout=30)


def _healthy(address: str) -> bool:
    try:
        with urllib.request.urlopen(f"{address}/_stcore/health", timeout=2) as answer:  # noqa: S310 - ours, on loopback
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


@contextmanager
def _page(context: BrowserContext) -> Iterator[Page]:
    """A page that notes when it has what it shows."""
    page = context.new_page()
    page.set_default_timeout(_READY_S * 1000)
    page.add_init_script(_NOTE_CONTENT)
    yield page
    page.close()


def _show(page: Page, address: str) -> None:
    page.goto(address)
    page.locator(".fc table").first.wait_for()
    page.locator(_AT_REST).wait_for()


def _opened(page: Page, address: str) -> tuple[float, float | None]:
    """Open an address; seconds until its last table is there, and its last chart if it has one."""
    _show(page, address)
    noted = _noted(page)
    return noted["tables"] / 1000, noted["charts"] / 1000 if "charts" in noted else None


def _noted(page: Page) -> dict[str, float]:
    """What ``_NOTE_CONTENT`` has noted once nothing more comes."""
    page.wait_for_function("performance.now() - window.fcContent.last > 2000")
    return page.evaluate("window.fcContent")


def paint(chromium: Browser, address: str) -> float:
    """Seconds from the address to the whole overview, in a browser that knows nothing of it."""
    context = chromium.new_context(viewport=_VIEWPORT)
    with _page(context) as page:
        took = _opened(page, address)
    context.close()
    return max(at for at in took if at is not None)


def filters(chromium: Browser, address: str) -> tuple[list[float], list[float]]:
    """Seconds from the click on an OS, agent version or update to cards and curve, and to the last table.

    Each is chosen for the first time.
    """
    choices = [("OS", name) for name in ("Windows", "macOS", "Linux")]
    choices += [("Agent version", f"7.{9 + number}.100") for number in range(AGENT_VERSIONS)]
    choices += [("Exposed to update", f"content-{DAYS - 1 - number}") for number in range(_EXPOSED_TO)]
    context = chromium.new_context(viewport=_VIEWPORT)
    redrawn, whole = [], []
    with _page(context) as page:
        _opened(page, address)
        page.set_default_timeout(_SHOWN_S * 1000)
        filtered = page.get_by_text("Hosts crashed (filtered)")
        for label, name in choices:
            page.get_by_label(label, exact=False).first.click()
            page.keyboard.type(name)
            option = page.get_by_role("option", name=name, exact=True)
            option.wait_for()
            page.evaluate(_NOTE_REDRAWING)
            option.click()
            page.wait_for_function("window.fcRedrawn.last")
            noted = page.evaluate("window.fcRedrawn")
            redrawn.append((max(noted["cards"], noted["curve"]) - noted["click"]) / 1000)
            whole.append((noted["last"] - noted["click"]) / 1000)
            page.keyboard.press("Escape")
            page.get_by_text("Clear filters").click()
            expect(filtered).to_have_count(0, timeout=_SHOWN_S * 1000)
            page.locator(_AT_REST).wait_for()
    context.close()
    return redrawn, whole


def pages(chromium: Browser, address: str) -> dict[str, dict[str, float]]:
    """Seconds from the click that leads to each page to all of it, the first time and later, and from its address.

    The way is a viewer's: from the overview down to one crash, along the menu, and to the incident.
    """
    steps = {
        "cluster": '.fc table a[href^="cluster?"]',
        "host": '.fc table a[href^="host?"]',
        "crash": '.fc table a[href^="crash?"]',
        "clusters": '.fc-crumbs a[href^="clusters"]',
        "updates": '[data-testid="stTopNavLink"]:has-text("Updates")',
        "update": '.fc table a[href^="updates?"]',
        "health": '[data-testid="stTopNavLink"]:has-text("Data health")',
        "overview": '[data-testid="stTopNavLink"]:has-text("Overview")',
        "incident": 'a:has-text("Open the incident")',
        "again": '[data-testid="stTopNavLink"]:has-text("Overview")',
    }
    clicked: dict[str, list[float]] = {name: [] for name in steps}
    addresses: dict[str, str] = {}
    context = chromium.new_context(viewport=_VIEWPORT)
    with _page(context) as page:
        _opened(page, address)
        for _ in range(_ROUNDS):
            for name, link in steps.items():
                page.locator(link).first.click()
                noted = _noted(page)
                clicked[name].append((noted["last"] - noted["click"]) / 1000)
                addresses[name] = page.url
    found: dict[str, dict[str, float]] = {
        "first": {name: round(times[0], 3) for name, times in clicked.items()},
        "pages": {name: round(statistics.median(times[1:]), 3) for name, times in clicked.items()},
        "opened": {},
        "charts": {},
    }
    for name, where in addresses.items():
        tables, charts = zip(*(_open(context, where) for _ in range(_ROUNDS)), strict=True)
        found["opened"][name] = round(statistics.median(tables), 3)
        if charts[0] is not None:
            found["charts"][name] = round(statistics.median(at for at in charts if at is not None), 3)
    context.close()
    return found


def _open(context: BrowserContext, address: str) -> tuple[float, float | None]:
    with _page(context) as page:
        return _opened(page, address)


def viewers(chromium: Browser, address: str, pid: int, many: int, minutes: float) -> dict[str, float]:
    """The server's share of a core and the growth of its memory while so many watch."""
    contexts = []
    for _ in range(many):
        context = chromium.new_context(viewport=_VIEWPORT)
        page = context.new_page()
        page.set_default_timeout(_READY_S * 1000)
        _show(page, address)
        contexts.append(context)
    began, cpu_before, rss_before = time.monotonic(), _cpu_s(pid), _rss_bytes(pid)
    while time.monotonic() - began < minutes * 60:
        contexts[0].pages[0].wait_for_timeout(1000)
    share = (_cpu_s(pid) - cpu_before) / (time.monotonic() - began)
    grown = _rss_bytes(pid) / rss_before
    for context in contexts:
        context.close()
    return {"viewers": many, "minutes": minutes, "share_of_core": round(share, 3), "memory_grew": round(grown, 3)}


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _rss_bytes(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@contextmanager
def _fresh(lake: Lake, folder: Path, chromium: Browser) -> Iterator[tuple[str, int]]:
    """A server of which nothing was asked but the overview: its address and process."""
    Aggregates(lake.root).clear()
    with served(lake, folder) as (address, pid):
        paint(chromium, address)
        yield address, pid


def _costing(what: Callable[[], tuple[list[float], ...]], pid: int) -> tuple[tuple[list[float], ...], float]:
    """Some waits, and the seconds of CPU that each of them cost the server, which a busy machine hardly alters."""
    before = _cpu_s(pid)
    waited = what()
    return waited, round((_cpu_s(pid) - before) / len(waited[0]), 3)


def _spread(seconds: list[float]) -> dict[str, float]:
    ordered = sorted(seconds)
    return {
        "p50": round(statistics.median(ordered), 3),
        "p95": round(ordered[min(len(ordered) - 1, int(0.95 * len(ordered)))], 3),
    }


def _timed(what: Callable[[], float], rounds: int) -> tuple[list[float]]:
    return ([what() for _ in range(rounds)],)


def main() -> int:
    """Run what the arguments ask for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--crashes", type=int, default=10_000_000)
    parser.add_argument("--hosts", type=int, default=400_000)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--starts", type=int, default=3, help="servers, one after the other, that filters are asked of")
    parser.add_argument("--viewers", type=int, default=30, help="how many watch; 0: that is left out")
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--chromium", default="/usr/bin/chromium")
    parser.add_argument("--lake", type=Path, help="a lake that an earlier run made here; kept for later ones")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch, sync_playwright() as playwright:
        root = chosen.lake or Path(scratch) / "lake"
        lake = Lake.open(root) if root.exists() else large_lake(root, chosen.crashes, chosen.hosts)
        chromium = playwright.chromium.launch(executable_path=chosen.chromium, args=_CHROMIUM)
        began = time.perf_counter()
        with _fresh(lake, Path(scratch), chromium) as (address, pid):
            found: dict[str, Any] = {
                "start_s": round(time.perf_counter() - began, 2),
                "start_cpu_s": round(_cpu_s(pid), 1),
            }
            (painted,), cost_s = _costing(lambda: _timed(lambda: paint(chromium, address), chosen.rounds), pid)
            clicks = [_costing(lambda: filters(chromium, address), pid)]
            found |= {
                "paint": {**_spread(painted), "server_cpu_s": cost_s},
                **pages(chromium, address),
                "watching": viewers(chromium, address, pid, chosen.viewers, chosen.minutes)
                if chosen.viewers > 0
                else None,
                "rss_gib": round(_rss_bytes(pid) / 2**30, 2),
            }
        for _ in range(1, chosen.starts):
            with _fresh(lake, Path(scratch), chromium) as (address, pid):
                clicks.append(_costing(lambda: filters(chromium, address), pid))
        for name, waits in zip(("filter", "whole"), zip(*(waited for waited, _ in clicks), strict=True), strict=True):
            each_s = round(statistics.mean(cost for _, cost in clicks), 3)
            found[name] = {**_spread(list(chain(*waits))), "server_cpu_s": each_s}
        chromium.close()
    print(json.dumps({"crashes": chosen.crashes, "hosts": chosen.hosts, **found, "synthetic": True}))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
