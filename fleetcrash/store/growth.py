"""Kept tables that grow by what is new since they were made, instead of being made anew.

A table grows by a key, the host or the crash: the rows of one host depend only on the records of that host, on the
catalogue and on the instant. So a look finds the hosts about which anything became known since an earlier look, runs
the query on their records alone, and replaces the rows in which the two answers differ. Where that is not possible
(files were merged or deleted, the instant went back, presence or exposure is assumed) the table is made anew.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import duckdb

from fleetcrash.records import Kind
from fleetcrash.store.look import Look
from fleetcrash.store.queries import query_text, words
from fleetcrash.store.reading import rows_of

# The queries of tables that grow, and by which column. A query by host reads crashes only from a table that grows; one
# by crash reads the view of crashes, and no record of another kind.
GROWS_BY: Mapping[str, str] = {
    "clustering/shaped_crashes": "crash_id",
    "known_exposures": "host_id",
    "known_history": "host_id",
    "known_installs": "host_id",
    "known_presence": "host_id",
    "known_spans": "host_id",
    "online_stretches": "host_id",
    "placed_crashes": "host_id",
}

# A table that took less to make is made anew instead.
GROW_FROM_S = 0.2

_RECORDS_BY: Mapping[str, tuple[Kind, ...]] = {
    "crash_id": (Kind.CRASH,),
    "host_id": (Kind.INSTALL, Kind.HOST, Kind.HEARTBEAT, Kind.SESSION),
}
_VIEWS_BY: Mapping[str, tuple[str, ...]] = {
    "crash_id": ("crashes",),
    "host_id": (
        "installs", "catalogue", "updates", "hosts", "presence_told", "presence",
        "steps", "exposure_history", "exposures", "host_spans",
    ),
}  # fmt: skip
_CHANGED_BY: Mapping[str, str] = {"crash_id": "changed_crashes", "host_id": "changed_hosts"}


# The places of the rows are found first, so that DuckDB fetches only these instead of reading every row.
_PLACED = """
    CREATE OR REPLACE TEMP TABLE places AS
    SELECT rowid AS place FROM memory.main.{table} SEMI JOIN {changed} USING ({by})
    """
_SLICE = (
    _PLACED,
    """
    CREATE OR REPLACE TEMP TABLE {table} AS
    SELECT * FROM memory.main.{table} WHERE rowid IN (SELECT place FROM places)
    """,
)
# Unchanged rows keep their place: a table that is sorted by time must stay sorted.
_SWAP = (
    _PLACED,
    """
    CREATE OR REPLACE TEMP TABLE held AS
    SELECT row_held.rowid AS place, hash(row_held) AS print FROM memory.main.{table} AS row_held
    WHERE row_held.rowid IN (SELECT place FROM places)
    """,
    """
    CREATE OR REPLACE TEMP TABLE staying AS
    SELECT print FROM (SELECT print, count(*) AS times FROM held GROUP BY print)
    JOIN (SELECT hash(row_grown) AS print, count(*) AS times FROM grown AS row_grown GROUP BY print)
    USING (print, times)
    """,
    "DELETE FROM memory.main.{table} WHERE rowid IN (SELECT place FROM held ANTI JOIN staying USING (print))",
    """
    INSERT INTO memory.main.{table}
    SELECT * FROM grown AS row_grown WHERE hash(row_grown) NOT IN (SELECT print FROM staying)
    """,
)


class Growth:
    """Lets the kept tables of one engine grow from one earlier look to the present one.

    It has a connection of its own, in which the names of the lake's tables and of kept tables stand for only those of
    their rows whose key changed, so that the query files that make a table anew can be used as they are.

    Args:
        con: the engine's database; its kept tables and its views of the lake's tables are seen by every connection.
        earlier, now: the looks; the second follows the first.
    Raises:
        duckdb.Error: the lake cannot be read.
    """

    def __init__(self, con: duckdb.DuckDBPyConnection, earlier: Look, now: Look) -> None:
        self._con = con.cursor()
        self._con.execute("SET TimeZone = 'UTC'")
        self._con.execute("SET VARIABLE as_of = CAST($as_of AS TIMESTAMPTZ)", {"as_of": now.as_of})
        self._by = ""
        for kind in Kind:
            seen = set(earlier.files[kind].paths)
            added = [path for path in now.files[kind].paths if path not in seen]
            rows_of(self._con, kind, added).create_view(f"added_{kind}", replace=True)
        rows_of(self._con, Kind.CRASH, earlier.files[Kind.CRASH].paths).create_view("earlier_crash", replace=True)
        for name in ("changed_crashes", "changed_updates"):
            self._create("TABLE", name, query_text(f"growth/{name}"), before=earlier.as_of)
        self._create("TABLE", "reported", query_text("growth/reported"))
        self._create("TABLE", "changed_hosts", query_text("growth/changed_hosts"), before=earlier.as_of)

    def close(self) -> None:
        """Let go of the connection."""
        self._con.close()

    def grow(self, name: str, query: str, parameters: dict[str, Any], kept: Iterable[str]) -> None:
        """Bring a kept table up to the present look. The tables that it reads are up to it already.

        Args:
            name, query, parameters: of the table; the query is one of ``GROWS_BY``.
            kept: names of the kept tables that it may read.
        Raises:
            duckdb.Error: the lake cannot be read.
        """
        by = GROWS_BY[query]
        if not self._con.sql(f"SELECT 1 FROM {_CHANGED_BY[by]} LIMIT 1").fetchall():  # noqa: S608 - names of ours
            return
        self._turn_to(by, [other for other in kept if other in words(query)])
        self._create("TABLE", "grown", query_text(query), **parameters)
        for statement in _SWAP:
            self._con.execute(statement.format(table=name, changed=_CHANGED_BY[by], by=by))

    def _turn_to(self, by: str, kept: Iterable[str]) -> None:
        """Let names stand for the rows whose key changed."""
        if by != self._by:
            for view in _VIEWS_BY.get(self._by, ()):
                self._con.execute(f"DROP VIEW {view}")  # so that a query that must not read it fails
            for kind in _RECORDS_BY[by]:
                told = "reported" if kind is Kind.CRASH else f"memory.main.lake_{kind}"
                changed = f"SELECT * FROM {told} SEMI JOIN {_CHANGED_BY[by]} USING ({by})"  # noqa: S608 - names of ours
                self._create("TABLE", f"lake_{kind}", changed)
            for view in _VIEWS_BY[by]:
                self._create("VIEW", view, query_text(f"views/{view}"))
            self._by = by
        for name in kept:
            columns = {column for column, *_ in self._con.sql(f"DESCRIBE memory.main.{name}").fetchall()}
            if by in columns:  # else its rows belong to no key, and all of them count
                for statement in _SLICE:
                    self._con.execute(statement.format(table=name, changed=_CHANGED_BY[by], by=by))

    def _create(self, what: str, name: str, query: str, **parameters: Any) -> None:
        """Create a temporary table or view, which in this connection hides one of that name in the database."""
        self._con.execute(f"CREATE OR REPLACE TEMP {what} {name} AS {query}", parameters or None)
