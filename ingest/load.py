"""Loading records into a lake: files and folders, stdin, tables in memory.

Records are judged and committed in batches, so that a load of any size takes bounded memory and one that is cut short
leaves a whole lake. Loading the same again changes nothing.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from types import TracebackType
from typing import Self

import pyarrow as pa

from fleetcrash.errors import BadArgument, UnreadableSource
from fleetcrash.store import Lake
from fleetcrash.store.overlay import Overlay
from fleetcrash.store.workbench import Workbench
from ingest.advice import NO_HOST, Misread, Unread, advice
from ingest.arrival import Arrival
from ingest.commit import Intake
from ingest.crash_files import Unreadable
from ingest.joined import Joined
from ingest.known_keys import KnownKeys
from ingest.report import Counts, IncompleteLoad, LoadReport, Progress
from ingest.sources import STDIN, Hosts, Source, find
from ingest.tables import of_tables

_NOBODY = Hosts()

# Two batches under way keep the cores busy while one of them is written, which uses only one; each takes some 400 MiB.
_INTAKES = 2

# Threads of the second; more than there are cores would cost a tenth more. The first has a thread for each core, as a
# small load needs no second.
_THREADS = max(1, (os.cpu_count() or 1) // _INTAKES)


def load(
    lake: Lake,
    sources: Sequence[str | Path],
    *,
    now: datetime,
    hosts: Hosts = _NOBODY,
    progress: Callable[[Progress], None] | None = None,
    make: bool = False,
) -> LoadReport:
    """Load files, folders and ``-`` (stdin) into a lake.

    Args:
        sources: loaded in this order; of a folder, and of folders in it, every file of a known format, by path.
        now: our clock, aware; records without ``received_at`` are checked against it.
        hosts: the host to assume for crashes in crash files that name none.
        progress: called after each batch.
        make: the lake need not exist: it is made once a source was found, so that a mistyped path leaves none behind.
    Raises:
        IncompleteLoad: a source could not be read; what could be read is loaded, and ``report`` counts it.
        LakeError: the lake cannot be read or written.
        BadArgument: ``now`` has no offset.
    """
    started = perf_counter()
    found = find(sources, now=aware(now), hosts=hosts)
    if make and found.sources:
        lake.make()
    problems = list(found.problems)
    counts, hints, meter = Counts(), _Hints(hosts, found.unread), _Meter(found.sources, progress)
    with _Pipeline(lake, now=now) as pipeline:
        for source in found.sources:
            counts_before = counts
            try:
                for arrival in source.batches():
                    counts += pipeline.take(arrival)
                    meter.begun(source, arrival, read=counts.read)
            except Unreadable as error:
                problems += error.problems
            except UnreadableSource as error:
                problems.append(str(error))
            counts += pipeline.end()
            hints.add(source, counts_before, counts)
            meter.ended(source, read=counts.read)
    names = [name for source in found.sources for name in source.names]
    report = LoadReport.of(
        counts, names, seconds=perf_counter() - started, left_out=found.left_out, advice=hints.advice(counts)
    )
    if problems:
        raise IncompleteLoad(problems, report)
    return report


def dry_run(
    lake: Lake | None,
    sources: Sequence[str | Path],
    *,
    now: datetime,
    hosts: Hosts = _NOBODY,
    progress: Callable[[Progress], None] | None = None,
) -> LoadReport:
    """Say what a load would do. It is done, but writes to a scratch folder over the lake, which is only read.

    Args:
        lake: None where there is none yet; see ``load`` for the rest.
    """
    with TemporaryDirectory(prefix="fleetcrash-") as scratch:
        return load(Overlay.over(lake, Path(scratch)), sources, now=now, hosts=hosts, progress=progress)


def append_tables(
    lake: Lake, tables: Mapping[str, pa.Table], *, batch_id: str, source: str, now: datetime
) -> LoadReport:
    """Load tables that are in memory, as one batch under the same rules.

    Args:
        tables: by kind of record; columns as in the contract, of any type that a Parquet file may have.
        batch_id: names the batch; another one of that name is taken for a repetition and changes nothing.
        source: their origin, as the quarantine names it.
        now: our clock, aware; records without ``received_at`` are checked against it.
    Raises:
        LakeError: the lake cannot be read or written.
        BadArgument: ``now`` has no offset.
    """
    started = perf_counter()
    with Workbench(lake) as bench:
        arrival = of_tables(tables, batch_id=batch_id, source=source)
        counts = Intake(lake, bench, now=aware(now)).take(arrival)
    return LoadReport.of(counts, [source], seconds=perf_counter() - started)


def aware(now: datetime) -> datetime:
    """Our clock as it was given.

    Raises:
        BadArgument: it has no offset.
    """
    if now.tzinfo is None:
        raise BadArgument(
            f"The time {now.isoformat()} has no offset. Nothing was changed. Pass an aware time, such as UTC."
        )
    return now


class _Meter:
    """Tells how far a load of some sources is.

    Args:
        progress: is told; None: nobody is.
    """

    def __init__(self, sources: Sequence[Source], progress: Callable[[Progress], None] | None) -> None:
        sizes = [source.size_bytes for source in sources]
        self._total_bytes = None if None in sizes else sum(size for size in sizes if size is not None)
        self._sources = len(sources)
        self._progress = progress
        self._ended = 0
        self._ended_bytes = 0
        self._begun_bytes: list[int] = []  # of each batch of the source under way

    def begun(self, source: Source, arrival: Arrival, *, read: int) -> None:
        """A batch has begun."""
        self._begun_bytes.append(arrival.size_bytes)
        within = sum(self._begun_bytes[:-_INTAKES])  # all others may be under way
        if within:
            self._tell(source, self._ended_bytes + min(within, source.size_bytes or within), read)

    def ended(self, source: Source, *, read: int) -> None:
        """All batches of a source are committed."""
        self._ended += 1
        self._ended_bytes += source.size_bytes or sum(self._begun_bytes)
        self._begun_bytes = []
        self._tell(source, self._ended_bytes, read)

    def _tell(self, source: Source, done_bytes: int, read: int) -> None:
        if self._progress is not None:
            told = Progress(source.names[0], self._ended, self._sources, done_bytes, self._total_bytes, read)
            self._progress(told)


class _Hints:
    """Collects, while sources are loaded, what the user can put right, for advice at the end.

    Args:
        hosts: see ``load``.
        unread: files that were left out, see ``Found``.
    """

    def __init__(self, hosts: Hosts, unread: Mapping[Unread, Sequence[str]]) -> None:
        self._hosts = hosts
        self._unread = {what: names for what, names in unread.items() if names}
        self._misread: dict[Misread, list[str]] = {}
        self._crashes_without_host = 0

    def add(self, source: Source, before: Counts, after: Counts) -> None:
        """Add a source, with the counts of the load before and after it."""
        if source.misread is not None and after.quarantined > before.quarantined:
            self._misread.setdefault(source.misread, []).append(source.names[0])
        if source.is_of_crash_files:
            self._crashes_without_host += after.reasons.get(NO_HOST, 0) - before.reasons.get(NO_HOST, 0)

    def advice(self, counts: Counts) -> tuple[str, ...]:
        """The lines for the whole load."""
        is_said = self._hosts.host_id is not None or self._hosts.by_folder
        return advice(
            self._misread,
            self._unread,
            crashes_without_host=0 if is_said else self._crashes_without_host,
            records_without_host=counts.reasons.get(NO_HOST, 0) - self._crashes_without_host,
            unknown_fields=sorted(counts.unknown_fields),
        )


class _Pipeline:
    """Two intakes that take turns, so that both cores work: while one judges its batch, the other commits its own, and
    the next batch is read.

    Batches are committed in order, each as a whole before the next. A load of one batch needs only one intake, which is
    made while the batch is read. Use it as a context manager.
    """

    def __init__(self, lake: Lake, *, now: datetime) -> None:
        self._lake = lake
        self._now = now
        self._open = ExitStack()
        self._pool = ThreadPoolExecutor(_INTAKES, thread_name_prefix="fleetcrash-intake")
        self._known = KnownKeys()
        self._idle: list[Future[Intake]] = []
        self._under_way: deque[tuple[Future[Intake], Future[Counts]]] = deque()

    def __enter__(self) -> Self:
        self._idle.append(self._pool.submit(self._intake, threads=None))
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._pool.shutdown()  # batches under way may finish
        self._open.close()

    def take(self, arrival: Arrival) -> Counts:
        """Begin a batch once an intake is idle. Returns the counts of batches that were committed meanwhile.

        Raises:
            LakeError: the lake cannot be read or written.
        """
        counts = self._settle(leave=_INTAKES - 1)
        intake = self._idle.pop() if self._idle else self._pool.submit(self._intake, threads=_THREADS)
        before = self._under_way[-1][1] if self._under_way else None
        self._under_way.append((intake, self._pool.submit(_take_after, before, intake, arrival)))
        return counts

    def end(self) -> Counts:
        """Wait until all batches are committed. Returns the counts of those that were not counted yet.

        Raises:
            LakeError: the lake cannot be read or written.
        """
        return self._settle(leave=0)

    def _settle(self, *, leave: int) -> Counts:
        counts = Counts()
        while len(self._under_way) > leave:
            intake, taken = self._under_way.popleft()
            counts += taken.result()
            self._idle.append(intake)
        return counts

    def _intake(self, *, threads: int | None) -> Intake:
        lake = self._lake.for_another_thread()
        bench = Workbench(lake, threads=threads)
        return Intake(lake, self._open.enter_context(bench), now=self._now, known=self._known)


def _take_after(before: Future[Counts] | None, intake: Future[Intake], arrival: Arrival) -> Counts:
    """Judge a batch, and commit it once the batch before is committed; if that one failed, fail in the same way."""
    taker = intake.result()  # was submitted earlier, so that it is ready or under way
    judged = taker.judge(arrival)
    if isinstance(arrival, Joined) and judged.refused is not None:
        judged = replace(judged, refused=arrival.apart(judged.refused))
    if before is not None:
        before.result()
    return taker.commit(taker.without_known_aside(judged, but_of=STDIN))
