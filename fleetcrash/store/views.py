"""The views of one engine, each defined when a question first reads it, as defining it takes as long as a question."""

from __future__ import annotations

import duckdb

from fleetcrash.store.look import VIEWS, Look
from fleetcrash.store.queries import query_text, words


class Views:
    """The views of one engine, none of them defined at first. Not for two threads at once."""

    def __init__(self, con: duckdb.DuckDBPyConnection) -> None:
        self._con = con
        self._look: Look | None = None
        self._defined: set[str] = set()

    def turn_to(self, look: Look) -> None:
        """Switch to the views of a look. Those that differ are defined anew when they are read."""
        if self._look is None or look.assumed != self._look.assumed:
            self._defined.clear()
        self._look = look

    def define_for(self, query: str) -> None:
        """Define the views that a query file reads; none before there is a look.

        Raises:
            duckdb.Error: the lake cannot be read.
        """
        for view in VIEWS:
            if view in words(query):
                self.define(view)

    def define(self, view: str) -> None:
        """Define one view, and those that it reads.

        Raises:
            duckdb.Error: the lake cannot be read.
        """
        if self._look is None or view in self._defined:
            return
        query = self._look.view(view)
        for other in VIEWS[: VIEWS.index(view)]:
            if other in words(query):
                self.define(other)
        self._con.execute(f"CREATE OR REPLACE TEMP VIEW {view} AS {query_text(query)}")
        self._defined.add(view)
