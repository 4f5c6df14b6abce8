"""Lines of several bodies as one batch for the loader, each record with the time at which its body arrived."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from fleetcrash.records import COLUMNS, Kind
from fleetcrash.store.workbench import Workbench
from ingest.arrival import Given, LaidOut, as_numbers, from_numbers
from ingest.collector.segments import Body
from ingest.commit import Judged
from ingest.ndjson import Lines
from ingest.rules import filled, judged, key_columns, quoted

_SUBJECT = {Kind.SESSION: ("host_id", "online_from"), Kind.UPDATE: ("update_id",)}
# A row of the inventory that says nothing new says that the host was seen, and is kept for that.

_LATER = {
    Kind.SESSION: "said.online_until IS NOT NULL, said.online_until",
    Kind.UPDATE: "CAST(to_json(said) AS VARCHAR) DESC",
}
# As in the views presence and updates.


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


@dataclass(frozen=True)
class Stamped:
    """``Joined`` lines as an arrival whose records carry our clock; see ``ingest.arrival.Arrival``."""

    joined: Joined

    @property
    def batch_id(self) -> str:
        return self.joined.lines.batch_id

    @property
    def source(self) -> str:
        return self.joined.lines.source

    @property
    def size_bytes(self) -> int:
        return self.joined.lines.size_bytes

    def plain(self, bench: Workbench) -> Mapping[Kind, Given]:
        """As the lines do; ``stamps`` holds the time of each line."""
        count, starts = len(self.joined.lines.ends), self.joined.starts
        received_us = np.array([body.description.received_us for body in self.joined.bodies], np.int64)
        stamps = as_numbers(np.repeat(received_us, np.diff(np.append(starts, count + 1))))
        numbers = as_numbers(np.arange(1, count + 1, dtype=np.int64))
        bench.register("stamps", pa.table({"line": numbers, "stamp": stamps.cast(pa.timestamp("us", tz="UTC"))}))
        return _stamped(self.joined.lines.plain(bench))

    def lay_out(self, bench: Workbench, judged: Sequence[pa.ChunkedArray]) -> LaidOut:
        """As the lines do."""
        laid_out = self.joined.lines.lay_out(bench, judged)
        return replace(laid_out, kinds=_stamped(laid_out.kinds))


def without_repetitions(bench: Workbench, found: Judged) -> Judged:
    """A batch that our clock stamped, with what says again what stands told as a duplicate of the row that stands.

    Else each resend of a session or an update would be known anew, and what it says known later than it was.
    """
    tables = dict(found.tables)
    for kind in _SUBJECT.keys() & tables.keys():
        bench.register(judged(kind), tables[kind])
        bench.lake_view(kind.value)
        subject = _SUBJECT[kind]
        tables[kind] = bench.table(
            filled(
                "said_again",
                judged=judged(kind),
                lake=f"lake_{kind.value}",
                subject=", ".join(map(quoted, subject)),
                same_subject=" AND ".join(f"judged.{quoted(name)} = stored.{quoted(name)}" for name in subject),
                later=_LATER[kind],
                said=", ".join(quoted(column.name) for column in COLUMNS[kind] if column.name != "received_at"),
                key=", ".join(map(quoted, key_columns(kind))),
            ),
            batch_id=found.batch_id,
        )
    return replace(found, tables=tables)


def _stamped(kinds: Mapping[Kind, Given]) -> dict[Kind, Given]:
    return {kind: replace(given, fields=filled("stamped", fields=given.fields)) for kind, given in kinds.items()}
