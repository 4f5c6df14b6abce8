"""Answers of query files that are kept as tables of an engine's database, for later queries to read.

Such a table is made when a question first reads it. When one reads it after the lake or the instant has changed, it is
brought up to date: made anew, or grown by what is new, see ``growth``.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import takewhile
from typing import Any

import duckdb
import pyarrow as pa

from fleetcrash.store.growth import GROW_FROM_S, GROWS_BY, Growth
from fleetcrash.store.look import Look
from fleetcrash.store.queries import query_text, words
from fleetcrash.store.views import Views


@dataclass
class Kept:
    """A kept table.

    Attributes:
        make, by: see ``Engine.keep_made``; None and empty where it is the query's answer.
        passing: it holds nothing, see ``Engine.keep_passing``.
        key: identifies its content; empty before it is made.
        look: the look that its content is of; None before it is made.
        took_s: seconds to make it and the tables that it reads; anew_s: without those, when it was last made anew.
    """

    query: str
    parameters: dict[str, Any]
    make: Callable[[], pa.Table] | None = None
    by: str = ""
    passing: bool = False
    key: str = ""
    look: Look | None = None
    took_s: float = 0.0
    anew_s: float = 0.0


class KeptTables:
    """The kept tables of one engine, in the order in which they were named. Not for two threads at once.

    Args:
        con: the engine's database.
        look: returns what the engine answers from now.
        views: of the engine.
        grow_from_s: a table that took at least so long to make grows by what is new, where that is possible.
    """

    def __init__(
        self,
        con: duckdb.DuckDBPyConnection,
        look: Callable[[], Look],
        views: Views,
        *,
        grow_from_s: float = GROW_FROM_S,
    ) -> None:
        self._con = con
        self._look = look
        self._views = views
        self._grow_from_s = grow_from_s
        self._tables: dict[str, Kept] = {}
        self._keys: dict[str, str] = {}  # of the tables, at the present look
        self._growths: list[tuple[Look, Growth]] = []  # each with the earlier look that it starts from

    def keep(self, name: str, kept: Kept) -> None:
        """Give a table a name. It may read those that were named before it."""
        known = self._tables.get(name)
        if known is not None:
            kept.key, kept.took_s = known.key, known.took_s
            if (kept.query, kept.parameters) == (known.query, known.parameters):
                kept.look, kept.anew_s = known.look, known.anew_s
        self._tables[name] = kept
        self._keys.clear()  # of whatever reads it

    def keeps(self, name: str) -> bool:
        """Whether there is a table of that name, made or not."""
        return name in self._tables

    def key(self, query: str, parameters: dict[str, Any]) -> str:
        """The key of the answer of a query file that may read all of them."""
        return self._look().key(query, parameters, self._tables, self._key_of)

    def make_for(self, query: str) -> float:
        """Bring the tables that a query file reads up to the present look; the seconds that this takes or took.

        Raises:
            duckdb.Error: the lake cannot be read.
        """
        return sum(self.make(name) for name in self._tables if name in words(query))

    def make(self, name: str) -> float:
        """Bring a table up to the present look, unless it is; the seconds that this takes or took.

        Raises:
            duckdb.Error: the lake cannot be read.
        """
        kept, key = self._tables[name], self._key_of(name)
        # A passing one holds nothing, and what it reads may have changed and changed back.
        if key == kept.key and not kept.passing:
            return kept.took_s
        before = self._before(name)
        made_s = 0.0 if kept.make else sum(self.make(other) for other in before if other in words(kept.query))
        look = self._look()
        if not kept.make:
            self._views.define_for(kept.query)
        started = time.perf_counter()
        earlier, kept.key, kept.look = kept.look, "", None  # of no look until it is whole again
        grown = self._grow(name, kept, earlier, look, before)
        if not grown:
            self._make_anew(name, kept)
        took_s = time.perf_counter() - started
        kept.anew_s = kept.anew_s if grown else took_s
        kept.took_s, kept.key, kept.look = made_s + took_s, key, look
        return kept.took_s

    def forget_look(self) -> None:
        """Forget what was true of the look before."""
        for _, growth in self._growths:
            growth.close()
        self._growths.clear()
        self._keys.clear()

    def _make_anew(self, name: str, kept: Kept) -> None:
        # Not temporary: the connection of a Growth reads it.
        if kept.passing:
            self._con.execute(f"CREATE OR REPLACE VIEW {name} AS {query_text(kept.query)}")
        elif kept.make is None:
            self._con.execute(f"CREATE OR REPLACE TABLE {name} AS {query_text(kept.query)}", kept.parameters or None)
        else:
            self._con.register("_answer", kept.make())
            self._con.execute(f"CREATE OR REPLACE TABLE {name} AS SELECT * FROM _answer")  # noqa: S608 - a name of ours
            self._con.unregister("_answer")

    def _grow(self, name: str, kept: Kept, earlier: Look | None, look: Look, before: list[str]) -> bool:
        """Let a table of an earlier look grow. Returns whether that was possible."""
        if kept.make or kept.query not in GROWS_BY or kept.anew_s < self._grow_from_s:
            return False
        if earlier is None or not look.follows(earlier):
            return False
        growth = next((growth for since, growth in self._growths if since == earlier), None)
        if growth is None:
            growth = Growth(self._con, earlier, look)
            self._growths.append((earlier, growth))
        growth.grow(name, kept.query, kept.parameters, before)
        return True

    def _key_of(self, name: str) -> str:
        """The key of what a table is to hold."""
        if name not in self._keys:
            kept = self._tables[name]
            self._keys[name] = kept.by + self._look().key(kept.query, kept.parameters, self._before(name), self._key_of)
        return self._keys[name]

    def _before(self, name: str) -> list[str]:
        """The tables that one may read."""
        return list(takewhile(lambda other: other != name, self._tables))
