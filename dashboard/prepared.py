"""A lake's engine with the tables kept that pages read, and those of one selection at a time."""

from __future__ import annotations

from dashboard.selection import PASSED, TABLES_OF_A_SELECTION, TABLES_OF_THE_LAKE, Selection
from fleetcrash.attribution.reading import KNOWN, keep_known
from fleetcrash.clustering import Clusters, Signatures
from fleetcrash.store import Engine, Lake

_READ_BY_MOST_PAGES = tuple(dict.fromkeys((*Clusters.TABLES, *TABLES_OF_THE_LAKE, *KNOWN)))


class PreparedEngine:
    """An engine on a lake's newest snapshot. For one thread at a time, but for ``interrupt``.

    Args:
        lake: is there. ``close`` lets go of what is held of it.
        signatures: those that are known already, for crashes that are alike.
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
        """Take the lake's newest snapshot. Returns whether anything had changed."""
        if not self._engine.refresh():
            return False
        self._engine.as_of = self._engine.newest_known()
        self._keep_tables()
        return True

    def close(self) -> None:
        """Let go of the engine; the lake is untouched."""
        self._engine.close()

    def interrupt(self) -> None:
        """End what another thread is asking; it fails there."""
        self._engine.interrupt()

    @property
    def clusters(self) -> Clusters:
        """The crash clusters of the snapshot."""
        return self._clusters

    def engine_for(self, selection: Selection | None) -> Engine:
        """The engine, with the tables kept of a selection; None: of any, for questions that read none of it."""
        if selection is not None and selection != self._selection:
            self._selection = None
            for name, query, parameters in selection.kept(TABLES_OF_A_SELECTION):
                self._engine.keep(name, query, **parameters)
            self._selection = selection
        return self._engine

    def make_next(self) -> bool:
        """Make the next of the tables that most pages read, before somebody waits for it; whether one was left to make.

        One that could not be made stays the next one.
        """
        if not self._unmade:
            return False
        self._engine.prepare(self._unmade[0])
        self._unmade.pop(0)
        return True

    def leave_unmade(self) -> None:
        """Leave the tables that were not made to the questions that read them."""
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
