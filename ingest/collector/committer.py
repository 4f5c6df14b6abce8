"""From the spool to the lake: one batch per segment, by the loader's rules, exactly once by the segment's name."""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from fleetcrash.errors import FleetcrashError, one_line
from fleetcrash.records import COLLECTOR, REPLAYING_COLLECTOR
from fleetcrash.store import Lake
from fleetcrash.store.housekeeping import compact
from fleetcrash.store.workbench import Workbench
from fleetcrash.times import instant_at
from ingest.arrival import Arrival
from ingest.collector import segments
from ingest.collector.clock import Clock
from ingest.collector.keys import Keys
from ingest.collector.limits import Limits
from ingest.collector.metrics import Metrics
from ingest.collector.segments import Body
from ingest.collector.spool import Spool
from ingest.commit import Intake, Judged
from ingest.joined import Joined
from ingest.known_keys import KnownKeys
from ingest.stamped import Stamped, without_repetitions

LOG = logging.getLogger("fleetcrash.collector")

# A lake that cannot be written is tried for ever. Any other failure is a fault of ours that the same segment would meet
# again: it is left in the spool for the next start, and those behind it go on.
_TRIES = 3

_RETRY_S = 2.0
_STUCK_S = 60.0  # twenty times what a segment takes; a file system that hangs gives no other sign
_COMPACT_EVERY = 100  # commits: each leaves a file per table, and 400 files make a question five times slower

# How long replaced files stay for those who still read them. At a commit a second, those of a day are half a million.
_KEPT = timedelta(hours=2)


class _Unread(Exception):
    """A segment cannot be read; those behind it may."""


class Committer:
    """Commits segments to a lake, in a thread of its own.

    Args:
        lake: for this thread only.
        replay: keep the senders' received_at, and take the newest for our clock.
    """

    def __init__(
        self,
        lake: Lake,
        spool: Spool,
        keys: Keys,
        limits: Limits,
        metrics: Metrics,
        clock: Clock,
        *,
        replay: bool = False,
    ) -> None:
        self._lake = lake
        self._spool = spool
        self._keys = keys
        self._limits = limits
        self._metrics = metrics
        self._clock = clock
        self._replay = replay
        self._newest: datetime | None = None  # received_at of a sender, when replaying
        self._bench = Workbench(lake)
        self._known = KnownKeys()
        self._failures: dict[Path, int] = {}
        self._commits = 0
        self._compaction: threading.Thread | None = None
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, name="fleetcrash-committer")
        self._trouble: str | None = None
        self._went_on_at = time.monotonic()

    @property
    def trouble(self) -> str | None:
        """Why nothing is committed; None if all is well. Any thread may ask."""
        stuck_s = time.monotonic() - self._went_on_at - self._limits.commit_every_s
        if self._trouble is None and stuck_s > _STUCK_S:
            return f"the lake has not taken what waits for {stuck_s:,.0f} s, nor said why"
        return self._trouble

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def close(self) -> None:
        """Commit as much as possible of what is spooled by now, and end. The rest stays in the spool."""
        self._end.set()
        self._thread.join()
        if self._compaction is not None:
            self._compaction.join()
        self._bench.close()

    def _run(self) -> None:
        wait_s = self._limits.commit_every_s
        while not self._end.wait(wait_s):
            began = time.monotonic()
            every_s = self._limits.commit_every_s if self._take_all() else _RETRY_S
            self._went_on_at = time.monotonic()
            wait_s = max(began + every_s - time.monotonic(), 0.0)
        self._take_all()

    def _take_all(self) -> bool:
        """Commit every closed segment in order. Returns whether all were, except those that were given up."""
        unread = ""
        for segment in self._spool.closed():
            if self._failures.get(segment, 0) >= _TRIES:
                continue
            try:
                self._take(segment)
            except _Unread as error:
                unread = unread or str(error)
            except (FleetcrashError, OSError, sqlite3.Error) as error:
                self._say(f"the lake cannot take {segment.name}, which stays in the spool: {one_line(error)}")
                return False
            except BaseException as error:  # a panic of deltalake is no Exception
                self._failures[segment] = self._failures.get(segment, 0) + 1
                LOG.exception("fleetcrash: a fault of ours; %s stays in the spool", segment.name)
                self._say(f"{segment.name} cannot be taken in: {one_line(error)}")
                if self._failures[segment] < _TRIES:
                    return False
            else:
                self._went_on_at = time.monotonic()
                self._commits += 1
                if self._commits % _COMPACT_EVERY == 0:
                    self._compact()
        if unread:
            self._say(unread)
        elif not self._failures:
            self._trouble = None
        return not unread

    def _say(self, trouble: str) -> None:
        if trouble != self._trouble:
            LOG.error("%s", trouble)
        self._trouble = trouble

    def _take(self, segment: Path) -> None:
        try:
            found = segments.read(segment)
        except OSError as error:
            said = f"{segment.name}, which stays in the spool and is tried again: {one_line(error)}"
            raise _Unread(f"the disk does not give back {said}") from error
        bodies = found.bodies
        if bodies:
            self._commit(segment.stem, bodies)
            self._keys.settle([body.description for body in bodies])
            self._clock.keep()  # before, a restart would have known the time from the segment
        self._spool.remove(segment, found)
        self._lake.retire(segment.stem)
        self._failures.pop(segment, None)

    def _commit(self, batch_id: str, bodies: Sequence[Body]) -> None:
        source = REPLAYING_COLLECTOR if self._replay else COLLECTOR
        parts = [(f"{body.description.door}, batch {body.description.batch_id}", body.lines) for body in bodies]
        joined = Joined.of(parts, batch_id=batch_id, source=source)
        received_at = instant_at(bodies[-1].description.received_us)
        arrived_us = np.repeat([body.description.received_us for body in bodies], joined.counts)
        arrival: Arrival = joined if self._replay else Stamped(joined.lines, arrived_us)
        now = self._replayed(arrival, received_at) if self._replay else received_at
        intake = Intake(self._lake, self._bench, now=now, loaded_at=received_at, known=self._known)
        judged = intake.judge(arrival)
        if judged.refused is not None:
            judged = replace(judged, refused=joined.apart(judged.refused))
        if not self._replay:
            tables = without_repetitions(self._bench, judged.tables, batch_id=batch_id)
            judged = replace(judged, tables=tables)
        counts = intake.commit(judged)
        if not judged.in_books:  # else an earlier try has counted it, and failed after the commit
            self._metrics.committed(counts)

    def _replayed(self, arrival: Arrival, wall: datetime) -> datetime:
        """The clock of a replay: the newest received_at so far, including this batch."""
        seen = _newest(Intake(self._lake, self._bench, now=wall).judge(arrival))
        self._newest = max((one for one in (self._newest, seen) if one is not None), default=None)
        return self._newest or wall

    def _compact(self) -> None:
        """Begin a compaction in parallel, unless one is running. A failure is logged and has no other effect."""
        if self._compaction is not None and self._compaction.is_alive():
            return
        lake = self._lake.for_another_thread()

        def run() -> None:
            try:
                compact(lake, keep=_KEPT)
            except BaseException as error:  # a panic of deltalake is no Exception
                is_ours = not isinstance(error, FleetcrashError)
                LOG.warning("the lake could not be compacted: %s", one_line(error), exc_info=is_ours)

        thread = threading.Thread(target=run, name="fleetcrash-compaction")
        try:
            thread.start()
        except RuntimeError as error:  # too many threads or too little memory; commits are not affected
            LOG.warning("the lake could not be compacted: %s", error)
        else:
            self._compaction = thread


def _newest(judged: Judged) -> datetime | None:
    """The newest received_at of the valid records of a batch."""
    found = [_newest_of(rows) for rows in judged.tables.values()]
    return max((one for one in found if one is not None), default=None)


def _newest_of(rows: pa.Table) -> datetime | None:
    return pc.max(rows.filter(pc.is_null(rows["reason"]))["received_at"]).as_py()
