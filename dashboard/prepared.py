"""An engine that keeps the tables that all pages read, and those of one selection at a time."""

from __future__ import annotations

from dashboard.selection import PASSED, TABLES_OF_A_SELECTION, TABLES_OF_THE_LAKE, Selection
from fleetcrash.attribution.facts.reading import KNOWN, keep_known
from fleetcrash.clustering import Clusters, Signatures
from fleetcrash.store import Engine, Lake

_READ_BY_MOST_PAGES = tuple(dict.fromkeys((*Clusters.TABLES, *TABLES_OF_THE_LAKE, *KNOWN)))


class PreparedEngine:
    """An engine on a lake's newest snapshot. For one thread at a time, except ``interrupt``.

    Args:
        lake: an existing one.
        signatures: known ones, so that no shape is signed twice.
    Raises:
        LakeError: the lake cannot be read; ``refresh`` and ``make_next`` raise it too.
    """

    def __init__(self, lake: Lake, signatures: Signatures) -> None:
        self._engine = Engine(lake)
        self._signatures = signatures
        self._selection: Selection | None = None
        self._unmade: list[str] = []
        self._keep_tables()

    def refresh(self) -> bool:
        """Take the lake's newest snapshot. Returns whether anything has changed."""
        if not self._engine.refresh():
            return False
        self._engine.as_of = self._engine.newest_known()
        self._keep_tables()
        return True

    def close(self) -> None:
        """Release the engine; the lake is untouched."""
        self._engine.close()

    def interrupt(self) -> None:
        """Abort the query of another thread, which fails there."""
        self._engine.interrupt()

    @property
    def clusters(self) -> Clusters:
        """The crash clusters of the snapshot."""
        return self._clusters

    def engine_for(self, selection: Selection | None) -> Engine:
        """The engine, keeping the tables of a selection; None: of any, for questions that read none of them."""
        if selection is not None and selection != self._selection:
            self._selection = None
            for name, query, parameters in selection.kept(TABLES_OF_A_SELECTION):
                self._engine.keep(name, query, **parameters)
            self._selection = selection
        return self._engine

    def make_next(self) -> bool:
        """Make the next of the tables that most pages read, before somebody waits for it. Returns whether one was left.

        If it cannot be made it stays the next one.
        """
        if not self._unmade:
            return False
        self._engine.prepare(self._unmade[0])
        self._unmade.pop(0)
        return True

    def leave_unmade(self) -> None:
        """Stop preparing tables: the rest is made when questions read them."""
        self._unmade.clear()

    def _keep_tables(self) -> None:
        self._clusters = Clusters(self._engine, self._signatures)
        self._clusters.keep()
        for name in TABLES_OF_THE_LAKE:
            self._engine.keep(name, name)
        for name, query in PASSED.items():
            self._engine.keep_passing(name, query)
        keep_known(self._engine)
        self._selection = None
        self._unmade = list(_READ_BY_MOST_PAGES)
