"""Pages are run by Streamlit's own test runner on a real lake."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import streamlit as st
from streamlit.components.v2 import manifest_scanner
from streamlit.testing.v1 import AppTest, local_script_runner
from streamlit.testing.v1.local_script_runner import LocalScriptRunner

from dashboard.serve import LAKE_VARIABLE

APP = Path(__file__).parents[2] / "dashboard" / "app.py"


def _app(view: str) -> None:
    import importlib

    import streamlit as st

    from dashboard.pages import incident_page, overview_page

    st.navigation([overview_page(), incident_page()], position="top")
    importlib.import_module(f"dashboard.views.{view}").show()


def _read(markup: str) -> str:
    return html.unescape(re.sub(r"<[^>]+>", "", markup)).strip()


class Page:
    """A page that was run, and what a reader finds on it."""

    def __init__(self, app: AppTest) -> None:
        self.app = app
        assert not app.exception, [each.value for each in app.exception]

    @property
    def markup(self) -> str:
        """All markup of the page, escaped as it is."""
        return "\n".join(str(each.proto.body) for each in self.app.get("html"))

    @property
    def text(self) -> str:
        """What is read, without markup, spaces as one."""
        return " ".join(html.unescape(re.sub(r"<style.*?</style>|<[^>]+>", " ", self.markup, flags=re.S)).split())

    def rows(self, title: str) -> list[list[str]]:
        """The rows of the table of that title, cells as they are read."""
        _, _, after = self.markup.partition(f"<h3>{html.escape(title)}</h3>")
        rows = re.findall(r"<tr[^>]*>(.*?)</tr>", after.partition("</table>")[0], flags=re.S)
        cells = [[_read(cell) for cell in re.findall(r"<td[^>]*>(.*?)</td>", row, flags=re.S)] for row in rows]
        return [row for row in cells if row]

    def table(self, title: str) -> dict[str, list[str]]:
        """The same by their first cell."""
        return {row[0]: row for row in self.rows(title)}

    @property
    def figures(self) -> list[dict[str, Any]]:
        """The figures of the page."""
        return [json.loads(each.proto.spec) for each in self.app.get("plotly_chart")]

    @property
    def offered(self) -> set[str]:
        """What data the page offers, by the names that ``files`` takes."""
        widgets: dict[str, Any] = self.app.session_state._state.filtered_state
        return {name.removeprefix("data-") for name in widgets if name.startswith("data-")}

    def files(self, name: str) -> list[str]:
        """The addresses of what is downloaded below a table, which tell by what is in the files."""
        self.app.session_state[f"data-{name}"] = True
        self.app.run()
        return [each.proto.url for each in self.app.get("download_button") if str(each.key).endswith(f"-{name}")]

    @property
    def links(self) -> list[str]:
        """The links to other pages that are not in markup, as they are read."""
        return [re.sub(r"\\(.)", r"\1", each.proto.label) for each in self.app.get("page_link")]

    @property
    def lines(self) -> set[str]:
        """The names of the lines of the rate chart."""
        return {trace["name"] for trace in self.figures[0]["data"] if trace.get("mode") == "lines+markers"}


@pytest.fixture(autouse=True, scope="session")
def _no_components_installed() -> Iterator[None]:
    """Each run would look through all that is installed for components of others, for longer than a page takes."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(manifest_scanner, "scan_component_manifests", list)
        yield


def _await(runner: LocalScriptRunner, timeout: float = 3) -> None:
    if runner._script_thread is not None:
        runner._script_thread.join(timeout)
    if not runner.script_stopped():
        runner.request_stop()
        runner.join()
        raise RuntimeError(f"The page took more than {timeout} s.")


@pytest.fixture(autouse=True, scope="session")
def _pages_are_waited_for() -> Iterator[None]:
    """The runner would look a thousand times a second whether a page is done, and keep it from being so."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(local_script_runner, "require_widgets_deltas", _await)
        yield


@pytest.fixture
def overview(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Page]]:
    """Run the overview on a lake, with the parameters of its URL."""

    def run(lake: Path, **parameters: Any) -> Page:
        monkeypatch.setenv(LAKE_VARIABLE, str(lake))
        app = AppTest.from_file(str(APP), default_timeout=30)
        for name, value in parameters.items():
            app.query_params[name] = value
        return Page(app.run())

    yield run
    st.cache_resource.clear()


@pytest.fixture
def health_page(view) -> Callable[..., Page]:
    """Run the page Data health."""
    return partial(view, "health")


@pytest.fixture
def view(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Page]]:
    """Run a view other than the overview on a lake, with the parameters of its URL."""

    def run(name: str, lake: Path, **parameters: Any) -> Page:
        monkeypatch.setenv(LAKE_VARIABLE, str(lake))
        app = AppTest.from_function(_app, kwargs={"view": name}, default_timeout=30)
        for key, value in parameters.items():
            app.query_params[key] = value
        return Page(app.run())

    yield run
    st.cache_resource.clear()


@pytest.fixture
def incident_page(view: Callable[..., Page]) -> Callable[..., Page]:
    """Run the page of an incident on a lake."""

    def run(lake: Path, incident_id: str | None = None, **parameters: Any) -> Page:
        return view("incident", lake, **({} if incident_id is None else {"id": incident_id}), **parameters)

    return run
