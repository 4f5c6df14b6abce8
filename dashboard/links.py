"""Links between the pages, which keep the viewer's filters."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from html import escape
from urllib.parse import urlencode

from dashboard.filters import carried
from dashboard.markup import text

# Pages lie side by side, so a link names only the page, whatever path the app is served under.
OVERVIEW = "./"


def address(page: str, **parameters: str) -> str:
    """The address of a page with the viewer's filters.

    Args:
        page: its path, such as ``cluster``, or ``OVERVIEW``.
        parameters: of the page; a filter among them replaces the viewer's.
    """
    return _address(page, carried(), parameters)


def leading(page: str, parameter: str) -> Callable[[str], str]:
    """Addresses of one page that differ in one parameter, for the rows of a table.

    The viewer's filters are looked up only once, as there are many rows.
    """
    filters = carried()
    return lambda value: _address(page, filters, {parameter: value})


def _address(page: str, filters: Mapping[str, list[str]], parameters: Mapping[str, str]) -> str:
    wanted = {**filters, **{name: [value] for name, value in parameters.items()}}
    return f"{page}?{urlencode(wanted, doseq=True)}" if wanted else page


def alike() -> Hashable:
    """A key that is equal for viewers with the same filters, who may share markup with links."""
    return urlencode(carried(), doseq=True)


def link(page: str, words: object, *, limit: int = 48, **parameters: str) -> str:
    """A link with words of the fleet, as markup."""
    return f'<a href="{escape(address(page, **parameters))}">{text(words, limit)}</a>'


def breadcrumbs(steps: Mapping[str, str], here: str) -> str:
    """The way to this page.

    Args:
        steps: addresses by name, the first page first.
        here: what this page is called.
    """
    before = "".join(
        f'<a href="{escape(where)}">{escape(name)}</a><span aria-hidden="true"> › </span>'
        for name, where in steps.items()
    )
    here_is = f'<span aria-current="page">{text(here, 80)}</span>'
    return f'<nav class="fc fc-crumbs" aria-label="Breadcrumb">{before}{here_is}</nav>'
