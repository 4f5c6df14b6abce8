"""Lines of several bodies as one batch for the loader, which remembers of each line when its body arrived."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from ingest.arrival import as_numbers, from_numbers
from ingest.collector.segments import Body
from ingest.ndjson import Lines
from ingest.stamped import Stamped


@dataclass(frozen=True)
class Joined:
    """Bodies that go to the lake in one batch.

    Attributes:
        lines: of all bodies.
        bodies: that have lines.
        starts: number of the first line of each body, from 1.
    """

    lines: Lines
    bodies: tuple[Body, ...]
    starts: npt.NDArray[np.int64]

    @classmethod
    def of(cls, bodies: Sequence[Body], *, batch_id: str, source: str) -> Joined:
        """Put bodies one behind the other."""
        filled_ones = tuple(body for body in bodies if len(body.lines))
        data = bytearray().join(body.lines for body in filled_ones)
        lines = Lines(batch_id, source, data, 1)
        ends = np.cumsum([len(body.lines) for body in filled_ones])
        through = np.searchsorted(lines.ends, ends, side="right")  # lines up to the end of each body
        return cls(lines, filled_ones, np.append(0, through[:-1]).astype(np.int64) + 1)

    def stamped(self) -> Stamped:
        """The lines as records that carry our clock, each the time at which its body arrived."""
        received_us = np.array([body.description.received_us for body in self.bodies], np.int64)
        return Stamped(self.lines, np.repeat(received_us, np.diff(np.append(self.starts, len(self.lines.ends) + 1))))

    def refused(self, rows: pa.Table) -> pa.Table:
        """Rows for the quarantine, with the body and the line of the body from which each came."""
        numbers = from_numbers(rows["line"])
        body_of = np.searchsorted(self.starts, numbers, side="right") - 1
        names = [f"{body.description.door}, batch {body.description.batch_id}" for body in self.bodies]
        named = pa.DictionaryArray.from_arrays(as_numbers(body_of), _texts(names)).cast(pa.string())
        lines = as_numbers(numbers - self.starts[body_of] + 1)
        changed = rows.set_column(rows.schema.get_field_index("source"), "source", named)
        return changed.set_column(rows.schema.get_field_index("line"), "line", lines)


def _texts(texts: Sequence[str]) -> pa.Array:
    return pa.table({"text": texts})["text"].combine_chunks()
