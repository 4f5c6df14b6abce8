"""A lake over another one: it reads both and writes only to itself, to try out what a load would do."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import pyarrow as pa

from fleetcrash.store.batch_names import BatchNames
from fleetcrash.store.lake import File, Lake


@dataclass(frozen=True)
class Overlay(Lake):
    """A lake that holds what another one holds and what is appended here; the other stays as it is.

    Attributes:
        below: the lake that is only read; None where there is none yet.
    """

    below: Lake | None = None

    @classmethod
    def over(cls, below: Lake | None, scratch: Path) -> Overlay:
        """An overlay that writes to an empty folder.

        Raises:
            LakeError: the folder cannot be written.
        """
        return cls(Lake.create(scratch).root, below=below)

    def for_another_thread(self) -> Overlay:
        """The same two lakes, for use by another thread beside this one."""
        below = None if self.below is None else self.below.for_another_thread()
        return replace(self, _tables={}, _names=BatchNames(), below=below)

    @property
    def roots(self) -> tuple[Path, ...]:
        """The folders that hold the files of both lakes."""
        return (self.root,) if self.below is None else (self.root, self.below.root)

    def files(self, table: str) -> list[File]:
        """The Parquet files of both."""
        below = [] if self.below is None else self.below.files(table)
        return [*below, *super().files(table)]

    def committed(self, table: str, batch_id: str) -> bool:
        """Whether the batch is in either."""
        return super().committed(table, batch_id) or (self.below is not None and self.below.committed(table, batch_id))

    def append(self, table: str, rows: pa.Table, *, batch_id: str, sequence: int = 1) -> bool:
        """Commit to the scratch folder, unless one of the two has the batch; see ``Lake.append``."""
        if self.below is not None and self.below.committed(table, batch_id):
            return False
        return super().append(table, rows, batch_id=batch_id, sequence=sequence)
