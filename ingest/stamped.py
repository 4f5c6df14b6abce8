"""Lines that came over the network: their records carry our clock, whatever their senders say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from fleetcrash.records import COLUMNS, Kind
from fleetcrash.store.workbench import Workbench
from fleetcrash.times import microseconds
from ingest.arrival import Given, LaidOut, as_numbers, counted_from
from ingest.ndjson import Lines
from ingest.rules import filled, judged, key_columns, quoted

# Hosts have no entry: a row of the inventory that says nothing new still says that the host was seen, and is kept.
_SUBJECT = {Kind.SESSION: ("host_id", "online_from"), Kind.UPDATE: ("update_id",)}

# Which of several rows known at one time counts, as in the views presence and updates.
_LATER = {
    Kind.SESSION: "said.online_until IS NOT NULL, said.online_until",
    Kind.UPDATE: "CAST(to_json(said) AS VARCHAR) DESC",
}


@dataclass(frozen=True)
class Stamped:
    """An arrival of lines whose records carry our clock; see ``ingest.arrival.Arrival``.

    Attributes:
        received_us: when each line arrived, microseconds since 1970.
    """

    lines: Lines
    received_us: npt.NDArray[np.int64]

    @classmethod
    def at(cls, instant: datetime, lines: Lines) -> Stamped:
        """Lines that all arrived at one time (aware)."""
        return cls(lines, np.full(len(lines.ends), microseconds(instant), np.int64))

    @property
    def batch_id(self) -> str:
        return self.lines.batch_id

    @property
    def source(self) -> str:
        return self.lines.source

    @property
    def size_bytes(self) -> int:
        return self.lines.size_bytes

    def plain(self, bench: Workbench) -> Mapping[Kind, Given]:
        """As the lines do; ``stamps`` holds the time of each line."""
        stamps = as_numbers(self.received_us).cast(pa.timestamp("us", tz="UTC"))
        numbers = counted_from(self.lines.first_line, len(stamps))
        bench.register("stamps", pa.table({"line": numbers, "stamp": stamps}))
        return _stamped(self.lines.plain(bench))

    def lay_out(self, bench: Workbench, judged: Sequence[pa.ChunkedArray]) -> LaidOut:
        """As the lines do."""
        laid_out = self.lines.lay_out(bench, judged)
        return replace(laid_out, kinds=_stamped(laid_out.kinds))


def without_repetitions(bench: Workbench, tables: Mapping[Kind, pa.Table], *, batch_id: str) -> Mapping[Kind, pa.Table]:
    """Judged rows that our clock stamped, in which repetitions of the row that counts are marked as its duplicates.

    Otherwise each resend of a session or an update would be a new row, known later than the first.

    Args:
        tables: by kind, the rows of ``sql/judged.sql``.
        batch_id: of their batch; rows of an earlier try of it do not count as others.
    """
    found = dict(tables)
    for kind in _SUBJECT.keys() & found.keys():
        bench.register(judged(kind), found[kind])
        bench.lake_view(kind.value)
        subject = _SUBJECT[kind]
        found[kind] = bench.table(
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
            batch_id=batch_id,
        )
    return found


def _stamped(kinds: Mapping[Kind, Given]) -> dict[Kind, Given]:
    return {kind: replace(given, fields=filled("stamped", fields=given.fields)) for kind, given in kinds.items()}
