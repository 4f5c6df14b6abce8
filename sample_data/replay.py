"""Recorded fleets played back in the order in which their records became known.

Pure: it reads files and yields tables. Whoever replays decides how fast, and where the tables go.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from fleetcrash.errors import BadArgument, UnreadableSource
from fleetcrash.records import OWN_TIME, Kind
from fleetcrash.times import microseconds

# In the order in which the records of one step come. One that does not say when it was received was known at its own
# time, as the contract has it; a host row without either, from the start.
KINDS = (Kind.HOST, Kind.UPDATE, Kind.INSTALL, Kind.HEARTBEAT, Kind.SESSION, Kind.CRASH)

# That a session ended is known so long after it did: an end is an absence, and an absence takes time to
# notice.
END_KNOWN_AFTER = timedelta(minutes=10)

_US = timedelta(microseconds=1)
_FROM_THE_START = np.iinfo(np.int64).min
_Known = NDArray[np.int64]  # microseconds since 1970


@dataclass(frozen=True)
class _Recording:
    """One kind's records in the order in which they became known.

    Attributes:
        table: a session that ended within the recording is two rows, open and then closed.
        known: of each row, never falling.
        closed_at: when the closing row of an open one is known; of any other row, the end of time.
    """

    table: pa.Table
    known: _Known
    closed_at: _Known


def records_known_by(folder: str | Path, moment: datetime) -> dict[str, pa.Table]:
    """Everything that was known at a moment: what a replay from there starts with.

    Args:
        folder: holds Parquet files, one kind of record each, told by the file's name (``crash*.parquet``).
        moment: with an offset.
    Returns:
        kind to its records in the order in which they became known; a session once, as it was known then.
        A kind without files is left out.
    Raises:
        UnreadableSource: the folder is missing or holds no such file, or one cannot be read.
        BadArgument: the moment has no offset.
    """
    at = _microseconds(moment, "moment")
    tables = {}
    for kind, recording in _read(Path(folder)).items():
        stop = int(np.searchsorted(recording.known, at, side="right"))
        # An open session whose end is known by then is only its closing row.
        kept = np.flatnonzero(recording.closed_at[:stop] > at)
        table = recording.table.slice(0, stop)
        tables[kind] = table if len(kept) == stop else table.take(pa.array(kept))
    return tables


def replay(
    folder: str | Path,
    start: datetime,
    *,
    step: timedelta = timedelta(minutes=1),
    until: datetime | None = None,
) -> Iterator[tuple[datetime, dict[str, pa.Table]]]:
    """What became known after ``start``, step by step.

    Args:
        folder: as for ``records_known_by``, which gives what was known at ``start`` itself.
        start: with an offset.
        step: of one batch, more than zero.
        until: with an offset; the batch that holds it is the last. None: until all is known.
    Yields:
        the end of each step, UTC, and kind to the records that became known in (end - step, end], in that
        order; an empty dict where nothing did. A session comes open when it begins, and once more with its
        end ten minutes after that; only with its end where both fall into one step.
    Raises:
        UnreadableSource, BadArgument: as ``records_known_by``, and for a step that is not positive.
    """
    begin = _microseconds(start, "start")
    width = step // _US
    if width <= 0:
        raise BadArgument(f"step is {step}; wanted more than zero. Name one such as 1 minute.")
    recordings = _read(Path(folder))
    last = begin if until is None else _microseconds(until, "until")
    if until is None:
        last = max([begin, *(int(item.known[-1]) for item in recordings.values() if len(item.known))])
    ticks = -((begin - last) // width)
    ends = begin + width * np.arange(ticks + 1, dtype=np.int64)
    cuts = {}
    for kind, recording in recordings.items():
        # The step in which each row comes; an open row whose end comes in the same one is left out.
        turn = -((begin - recording.known[recording.known > begin]) // width)
        closes = recording.closed_at[recording.known > begin]
        kept = (closes == np.iinfo(np.int64).max) | (closes > begin + turn * width)
        first = len(recording.known) - len(turn)
        table = recording.table.slice(first)
        if not kept.all():
            table = table.take(pa.array(np.flatnonzero(kept)))
        cuts[kind] = (table, np.searchsorted(recording.known[first:][kept], ends, side="right"))
    for tick in range(1, int(ticks) + 1):
        batch = {}
        for kind, (table, bounds) in cuts.items():
            low, high = int(bounds[tick - 1]), int(bounds[tick])
            if high > low:
                batch[kind] = table.slice(low, high - low)
        yield start.astimezone(UTC) + step * tick, batch


def _microseconds(moment: datetime, name: str) -> int:
    if moment.tzinfo is None:
        raise BadArgument(f"{name} is {moment.isoformat()}, without an offset; wanted one such as +00:00.")
    return microseconds(moment)


def _read(folder: Path) -> dict[str, _Recording]:
    recordings = {}
    for kind in KINDS:
        paths = sorted(folder.glob(f"{kind}*.parquet"))
        if not paths:
            continue
        try:
            table = pa.concat_tables([pq.read_table(path) for path in paths], promote_options="default")
        except (OSError, pa.ArrowInvalid) as error:
            raise UnreadableSource(f"{folder}: {kind} records cannot be read: {error}") from error
        recordings[kind.value] = _in_order(kind, table)
    if not recordings:
        raise UnreadableSource(
            f"{folder} holds no Parquet file of records; wanted names such as crash.parquet. "
            "`fleetcrash simulate` writes them."
        )
    return recordings


def _in_order(kind: Kind, table: pa.Table) -> _Recording:
    never = np.iinfo(np.int64).max
    own = _times(table, OWN_TIME[kind], _FROM_THE_START)
    known = _times(table, "received_at", never)
    known = np.where(known == never, own, known)
    closed_at = np.full(len(known), never, dtype=np.int64)
    if kind is Kind.SESSION:
        until = _times(table, "online_until", never)
        ended = np.flatnonzero(until < never)
        end_known = np.maximum(known[ended], until[ended] + END_KNOWN_AFTER // _US)
        closed_at[ended] = end_known
        column = table.schema.get_field_index("online_until")
        field = table.schema.field(column)
        opened = table.set_column(column, field, pa.nulls(len(known), field.type))
        table = pa.concat_tables([opened, table.take(pa.array(ended))])
        known = np.concatenate([known, end_known])
        closed_at = np.concatenate([closed_at, np.full(len(ended), never, dtype=np.int64)])
    order = np.argsort(known, kind="stable")
    return _Recording(table.take(pa.array(order)), known[order], closed_at[order])


def _times(table: pa.Table, name: str, missing: int) -> _Known:
    """A time column in microseconds since 1970, ``missing`` where it is null or not there."""
    if name not in table.column_names:
        return np.full(table.num_rows, missing, dtype=np.int64)
    # A timestamp without zone is UTC, so both kinds are the same number.
    whole = pc.cast(pc.cast(table.column(name), pa.timestamp("us", tz="UTC")), pa.int64())
    return np.asarray(pc.fill_null(whole, missing).to_numpy(), dtype=np.int64)
