"""Lines of several sources as one batch for the loader, with the source of each line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from fleetcrash.records import Kind
from fleetcrash.store.workbench import Workbench
from ingest.arrival import Given, LaidOut, as_numbers, from_numbers, one_of
from ingest.bits import Data
from ingest.ndjson import Lines


@dataclass(frozen=True)
class Joined:
    """Parts that are loaded as one batch; see ``ingest.arrival.Arrival``.

    Attributes:
        lines: of all parts.
        names: of the source of each part.
        counts: number of lines of each part.
        size_bytes: bytes of the sources that they cover.
    """

    lines: Lines
    names: Sequence[str]
    counts: npt.NDArray[np.int64]
    size_bytes: int

    @classmethod
    def of(
        cls,
        parts: Sequence[tuple[str, Data | memoryview]],
        *,
        batch_id: str,
        source: str,
        size_bytes: int | None = None,
    ) -> Joined:
        """Concatenate parts.

        Args:
            parts: names of sources, and whole lines of each.
            size_bytes: of the sources; None: that of the lines.
        """
        data = bytearray().join(lines for _, lines in parts)
        lines = Lines(batch_id, source, data, 1)
        through = np.searchsorted(lines.ends, np.cumsum([len(part) for _, part in parts]), side="right")
        counts = np.diff(through, prepend=0).astype(np.int64)
        return cls(lines, [name for name, _ in parts], counts, len(data) if size_bytes is None else size_bytes)

    @property
    def batch_id(self) -> str:
        return self.lines.batch_id

    @property
    def source(self) -> str:
        return self.lines.source

    def plain(self, bench: Workbench) -> Mapping[Kind, Given]:
        """As the lines do."""
        return self.lines.plain(bench)

    def lay_out(self, bench: Workbench, judged: Sequence[pa.ChunkedArray]) -> LaidOut:
        """As the lines do."""
        return self.lines.lay_out(bench, judged)

    def apart(self, refused: pa.Table) -> pa.Table:
        """Rows for the quarantine, each with its own source and its line there."""
        firsts = np.cumsum(self.counts) - self.counts + 1
        numbers = from_numbers(refused["line"])
        part_of = np.searchsorted(firsts, numbers, side="right") - 1  # parts without lines match no number
        named = one_of(self.names, part_of.astype(np.int32))
        lines = as_numbers(numbers - firsts[part_of] + 1)
        changed = refused.set_column(refused.schema.get_field_index("source"), "source", named)
        return changed.set_column(refused.schema.get_field_index("line"), "line", lines)
