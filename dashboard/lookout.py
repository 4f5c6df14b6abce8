"""A lake as of the last look: the snapshot, and the engine while the lake can be read."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from dashboard.prepared import PreparedEngine
from dashboard.snapshot import LakeState, Snapshot, snapshot_of
from fleetcrash.clustering import Signatures
from fleetcrash.errors import FleetcrashError, LakeError
from fleetcrash.store import Lake


class Lookout:
    """Looks at a lake. For one thread at a time, except ``snapshot`` and ``interrupt``.

    Args:
        root: path of the lake, which may be made later.
    Attributes:
        snapshot: the newest.
        prepared: the engine on it; None if there is no lake, or it could not be read.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._signatures = Signatures()
        self.snapshot = Snapshot(number=0, state=LakeState.MISSING, root=root)
        self.prepared: PreparedEngine | None = None

    @property
    def ready(self) -> PreparedEngine:
        """The engine.

        Raises:
            FleetcrashError: there is none.
        """
        if self.prepared is None:
            raise FleetcrashError(self.snapshot.problem or "there is no lake")
        return self.prepared

    def interrupt(self) -> None:
        """Abort the query of another thread, which fails there."""
        if (prepared := self.prepared) is not None:
            prepared.interrupt()

    def refresh(self) -> bool:
        """Look at the lake. Returns whether it has changed; then call ``read`` for the snapshot.

        Raises:
            LakeError: it cannot be read.
        """
        if self.prepared is None:
            if not Lake(self._root).exists:
                self.snapshot = Snapshot(
                    number=self.snapshot.number,
                    state=LakeState.MISSING,
                    root=self._root,
                    problem="is a file" if self._root.is_file() else "holds no lake",
                )
                return False
            self.prepared = PreparedEngine(Lake.open(self._root), self._signatures)
        elif not self._root.is_dir():  # the engine works from memory and would not notice
            raise LakeError(f"The lake at {self._root} cannot be read: it is not there any more.")
        elif not self.prepared.refresh():
            if self.snapshot.problem:
                self.snapshot = replace(self.snapshot, problem="")
            return False
        return True

    def read(self) -> None:
        """Make the snapshot of the last look.

        Raises:
            LakeError: the lake cannot be read.
        """
        self.snapshot = snapshot_of(self.ready.engine_for(None), self.snapshot.number + 1, self._root)

    def fail(self, problem: str) -> None:
        """Release a lake that cannot be read, and record why; the last snapshot stays."""
        self.let_go()
        known = self.snapshot
        if known.state in (LakeState.READY, LakeState.EMPTY):
            self.snapshot = replace(known, problem=problem)
        else:
            self.snapshot = Snapshot(known.number, LakeState.UNREADABLE, self._root, problem=problem)

    def let_go(self) -> None:
        """Release the lake; the next look opens it again."""
        if self.prepared is not None:
            self.prepared.close()
        self.prepared = None
