"""The export below a table: all of its rows as a file, and the query that they come from."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable, Hashable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import pandas as pd
import streamlit as st

from dashboard.data import Feed
from dashboard.selection import PASSED, TABLES_OF_A_CURVE, TABLES_OF_A_SELECTION, TABLES_OF_THE_LAKE, Selection
from dashboard.wording import clock, plain
from fleetcrash.attribution.facts.reading import KNOWN
from fleetcrash.spreadsheet import harmless
from fleetcrash.store.queries import query_text, words

_AT_ONCE = 20_000  # rows; a file of so many takes some 100 ms
_OF_THE_LAKE = (*KNOWN, *TABLES_OF_THE_LAKE, *PASSED)
_LONGEST_VALUE = 300  # of a parameter, in the text of a query


def export(
    feed: Feed,
    title: str,
    frame: pd.DataFrame | Callable[[], pd.DataFrame],
    *,
    question: str | Sequence[str] = (),
    selection: Selection | None = None,
    parameters: Mapping[str, Any] | None = None,
    left_out: int = 0,
) -> None:
    """Draw a button that opens the data of a table or chart. Files are made only then.

    Args:
        title: of the table or chart, unique on its page; names the files.
        frame: all rows, including those that the page does not show; or a function that is called when it opens.
        question: the query file behind it, or several whose answers were joined; none if there is none to show.
        selection, parameters: of the question, and whatever else selects the rows: a file is made once for each.
        left_out: number of rows that the answer lacks.
    """
    name = slug(title)
    opened = st.popover("Data", key=f"data-{name}", icon=":material/download:", type="tertiary", on_change="rerun")
    if not opened.open:
        return
    as_of = feed.snapshot().as_of
    file = f"{name}-{as_of:%Y%m%dT%H%M%SZ}" if as_of else name
    rows = frame() if callable(frame) else frame
    questions = (question,) if isinstance(question, str) else tuple(question)
    view = (questions, selection, repr(parameters))
    with opened:
        st.html(f'<div class="fc"><span class="fc-note">{_said(rows, as_of, left_out)}</span></div>')
        with st.container(horizontal=True, gap="small"):
            st.download_button(
                "CSV",
                _file(feed, ("csv", name, view), rows, csv_bytes),
                file_name=f"{file}.csv",
                mime="text/csv",
                key=f"csv-{name}",
                on_click="ignore",
            )
            st.download_button(
                "Parquet",
                _file(feed, ("parquet", name, view), rows, parquet_bytes),
                file_name=f"{file}.parquet",
                mime="application/vnd.apache.parquet",
                key=f"parquet-{name}",
                on_click="ignore",
            )
        if questions:
            asked = traced(questions, selection, parameters or {}, as_of=as_of)
            st.code(asked, language="sql", height=320, width=640, wrap_lines=True)


def _file(
    feed: Feed, key: Hashable, rows: pd.DataFrame, make: Callable[[pd.DataFrame], bytes]
) -> bytes | Callable[[], bytes]:
    """The bytes of a file; for a large one a function that makes them on demand.

    Streamlit forgets such a function whenever the panel renews itself, so that a click at that moment is lost. A file
    that was made beforehand keeps its address until the lake changes.
    """
    if len(rows) > _AT_ONCE:
        return lambda: make(rows)
    return feed.kept((key, len(rows)), lambda: make(rows))


def _said(frame: pd.DataFrame, as_of: datetime | None, left_out: int) -> str:
    rows = f"{len(frame):,} row{'' if len(frame) == 1 else 's'}"
    all_of_it = f"{left_out:,} more are left out" if left_out else "all there are"
    return f"{rows}, {all_of_it}; times in UTC; as of {clock(as_of)}."


def slug(title: str) -> str:
    """A title as part of a file's name."""
    return re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-") or "data"


def csv_bytes(frame: pd.DataFrame) -> bytes:
    """A table as CSV: times in Z, lists and maps as JSON, bytes as hex, and formulas made harmless."""
    shown = pd.DataFrame({harmless(str(name)): _column(values) for name, values in frame.items()}, copy=False)
    written: str = shown.to_csv(index=False, lineterminator="\r\n")  # so that cells with either character are quoted
    return written.encode()


def parquet_bytes(frame: pd.DataFrame) -> bytes:
    """A table as Parquet, values as they are."""
    written = io.BytesIO()
    frame.to_parquet(written, index=False)
    return written.getvalue()


def _column(values: pd.Series) -> pd.Series:
    if values.dtype == object or pd.api.types.is_string_dtype(values.dtype):
        return values.map(_cell)
    if isinstance(values.dtype, pd.DatetimeTZDtype):
        return values.map(_instant, na_action="ignore")
    return values


def _cell(value: object) -> object:
    if isinstance(value, str):
        return harmless(value)
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, datetime):
        return _instant(value)
    if hasattr(value, "tolist"):  # a list in the lake becomes an array
        value = value.tolist()
    if isinstance(value, list) and value and all(isinstance(each, tuple) and len(each) == 2 for each in value):
        value = dict(value)  # and a map becomes a list of pairs
    return json.dumps(value, ensure_ascii=False, default=str) if isinstance(value, list | dict) else value


def _instant(instant: datetime) -> str:
    return "" if pd.isna(instant) else instant.astimezone(UTC).isoformat().replace("+00:00", "Z")


def traced(
    question: str | Sequence[str],
    selection: Selection | None,
    parameters: Mapping[str, Any],
    *,
    as_of: datetime | None = None,
) -> str:
    """The SQL of questions and of the kept tables that they read, each with its parameters as comments."""
    asked = [question] if isinstance(question, str) else question
    parts = []
    for name, query in _queries_behind(asked, selection).items():
        text = query_text(query)
        lines = [f"-- fleetcrash/store/sql/{query}.sql"]
        given = {key: value for key, value in parameters.items() if f"${key}" in text}
        if name in asked:
            lines += [f"-- as of {_literal(as_of)}"] if as_of else []
        else:
            lines[0] += f", which is {'read' if name in PASSED else 'kept'} as {name}"
            kept = {} if selection is None or name in _OF_THE_LAKE else selection.parameters(name, **parameters)
            given = {key: value for key, value in kept.items() if f"${key}" in text}
        lines += [f"-- ${key} = {_literal(value)}" for key, value in given.items() if value not in ([], "", None)]
        parts.append("\n".join([*lines, "", text.strip()]))
    return "\n\n\n".join(parts)


def _queries_behind(questions: Sequence[str], selection: Selection | None) -> dict[str, str]:
    """Questions, then the kept tables that they read directly or indirectly; each with its query."""
    found = {question: question for question in questions}
    kept = (*_OF_THE_LAKE, *TABLES_OF_A_SELECTION, *TABLES_OF_A_CURVE)
    for name in reversed(kept):  # a table reads only those before it
        if name not in found and any(name in words(query) for query in found.values()):
            found[name] = PASSED.get(name, name) if selection is None or name in _OF_THE_LAKE else selection.query(name)
    return found


def _literal(value: object) -> str:
    if isinstance(value, datetime):
        return f"'{value.astimezone(UTC).isoformat().replace('+00:00', 'Z')}'"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_literal, value))}]"
    if isinstance(value, str):
        return "'" + plain(value, _LONGEST_VALUE).replace("'", "''") + "'"
    return str(value)
