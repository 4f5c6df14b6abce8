"""The spool: acknowledged bodies that are not in the lake yet, on disk durably.

Waiting bodies are written and synced together, so that many small ones cost one sync. A segment is closed when the
committer asks for what there is, or when it is large; it is deleted once the lake has it. A damaged one is kept under
another name.
"""

from __future__ import annotations

import errno
import fcntl
import logging
import os
import shutil
import threading
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from fleetcrash.errors import BadArgument, one_line
from fleetcrash.store.durable import sync_folder
from fleetcrash.store.paths import DAMAGED, SPOOL_LOCK
from ingest.collector.limits import Limits
from ingest.collector.refusal import Refusal, busy, disk_full, stopping, unavailable
from ingest.collector.segments import Body, Description, Segment, read

LOG = logging.getLogger("fleetcrash.collector")

_SUFFIX = ".segment"
_SMALL_BYTES = 64 << 10
# Left free for the lake, in addition to half of what waits: the lake must be able to take what was acknowledged, or a
# full disk would stay full.
_SPARE_BYTES = 2 << 20

_FULL = "the disk of {} is full, and senders are answered 507"
_UNWRITABLE = "the last body could not be written to the spool {} ({}), and its sender was answered {}"
_AWAY = "the spool {} cannot be reached ({}), and senders are answered 503"
_KEPT = (
    "{} was damaged on its disk: the lake has the bodies of it that could be read, and not the others. Let their "
    "senders send again (what the lake has counts as a duplicate), see to the disk, and move the file away"
)


@dataclass
class _Waiting:
    body: Body
    size_bytes: int
    done: Future[None]


class Spool:
    """A folder of segments of one collector. Any thread may append; one thread takes segments.

    Args:
        folder: made if it is missing; a lock in it excludes a second collector.
    Attributes:
        recovered: bodies that an earlier collector left.
    Raises:
        BadArgument: another collector has the folder, or it cannot be written.
    """

    def __init__(self, folder: Path, limits: Limits) -> None:
        self._folder = folder
        self._limits = limits
        self._lock = _locked(folder)
        self._waiting: list[_Waiting] = []
        self._woken = threading.Condition()
        self._ending = False
        self._writing = threading.Lock()  # held while the open segment is written or closed
        self._open: tuple[Path, int] | None = None  # path and file descriptor
        self._open_bytes = 0
        self.recovered: list[Description] = []
        self._sizes = self._recover()
        self._named = max(map(_number, self._sizes), default=0)
        self._waiting_bytes = 0
        self._wanted_bytes = 0  # of the last body for which the disk had no room, until it has
        self._said: str | None = None  # what is wrong with the disk
        self._unwritten: str | None = None  # why the last body was not written
        self._flusher = threading.Thread(target=self._flush_for_ever, name="fleetcrash-spool")

    def start(self) -> None:
        """Start writing what is appended, as soon as there is room."""
        self._free_bytes()
        self._flusher.start()

    @property
    def backlog_bytes(self) -> int:
        """Bytes that are not in the lake yet."""
        return self._waiting_bytes + sum(list(self._sizes.values()))

    def check_backlog(self, size_bytes: int) -> None:
        """Check that the backlog leaves room for a body of this size.

        Raises:
            Refusal: too much is waiting.
        """
        backlog_bytes = self.backlog_bytes
        if backlog_bytes and backlog_bytes + size_bytes > self._limits.backlog_bytes:
            raise busy(f"{backlog_bytes:,} bytes wait for the lake")

    def check_room(self, size_bytes: int) -> None:
        """Check that a body of this size may be taken.

        Raises:
            Refusal: too much is waiting, or the disk is full or cannot be reached.
        """
        self.check_backlog(size_bytes)
        free_bytes = self._free_bytes()
        if free_bytes is None:
            raise unavailable("spool_unwritable", "cannot write to its disk")
        if free_bytes < size_bytes:
            self._wanted_bytes = size_bytes
            raise disk_full()

    @property
    def trouble(self) -> str | None:
        """Why nothing is taken, or why the last body was not, or what is damaged; None if all is well."""
        self._free_bytes()
        if self._said is not None:
            return self._said
        if self._unwritten is not None:  # the only sign of a disk that has become read-only
            return self._unwritten
        damaged = self.damaged()
        return _KEPT.format(damaged[0]) if damaged else None

    def damaged(self) -> list[Path]:
        """Files that are kept because acknowledged bodies in them cannot be read."""
        return sorted(self._folder.glob(f"*{DAMAGED}"))

    def _free_bytes(self) -> int | None:
        """Bytes on disk for bodies, without what is left for the lake; None if the disk cannot be reached.

        Logs when there is none, or too little for a body, or the disk cannot be reached, and when that is over.
        """
        wrong = free_bytes = None
        try:
            free_bytes = shutil.disk_usage(self._folder).free - self.backlog_bytes // 2 - _SPARE_BYTES
        except OSError as error:
            wrong = _AWAY.format(self._folder, error.strerror)
        if free_bytes is not None and free_bytes < self._wanted_bytes:
            wrong = _FULL.format(self._folder)
        elif free_bytes is not None:
            self._wanted_bytes = 0
        if wrong != self._said:
            self._said = wrong
            if wrong is not None:
                LOG.error("%s. It goes on by itself once that is over", wrong)
            else:
                LOG.info("the spool %s takes bodies again", self._folder)
        return free_bytes

    def append(self, body: Body) -> Future[None]:
        """Take a body. The future is done once it is on disk durably, or has the Refusal."""
        waiting = _Waiting(body, len(body.lines), Future())
        with self._woken:
            if self._ending:
                raise stopping()
            self._waiting.append(waiting)
            self._waiting_bytes += waiting.size_bytes
            self._woken.notify()
        return waiting.done

    def closed(self) -> list[Path]:
        """Close the open segment. Returns all segments that wait for the lake, oldest first."""
        with self._writing:
            self._close_segment()
            return sorted(self._sizes)

    def remove(self, segment: Path, found: Segment) -> None:
        """Remove a segment that the lake has, durably. If not all of it could be read, it is kept under another name.

        Raises:
            OSError: it cannot be deleted, or renamed; or that it was may not last.
        """
        if found.whole_bytes < self._sizes[segment]:
            kept = segment.rename(segment.with_suffix(DAMAGED))
            LOG.error("%s", _KEPT.format(kept))
        else:
            segment.unlink()
        del self._sizes[segment]
        sync_folder(self._folder)  # the lake forgets the segment's name, and would take it for new if it came back

    def end(self) -> None:
        """Write what waits, and take nothing more."""
        with self._woken:
            self._ending = True
            self._woken.notify()
        self._flusher.join()

    def close(self) -> None:
        """Release the folder, after ``end``."""
        with self._writing:
            self._close_segment()
        os.close(self._lock)

    def _recover(self) -> dict[Path, int]:
        """Segments that an earlier collector left, with torn tails removed."""
        sizes = {}
        for path in sorted(self._folder.glob(f"*{_SUFFIX}")):
            sizes[path] = path.stat().st_size
            try:
                found = read(path)
            except OSError as error:  # perhaps only for now: the committer tries it again
                LOG.error("%s cannot be read: %s", path.name, error.strerror)
                continue
            if found.is_torn:
                _cut(path, found.whole_bytes)
                sizes[path] = found.whole_bytes
            LOG.info("%s: %s bodies that the lake has yet to take", path.name, f"{len(found.bodies):,}")
            self.recovered += [body.description for body in found.bodies]
        return sizes

    def _flush_for_ever(self) -> None:
        while True:
            with self._woken:
                self._woken.wait_for(lambda: self._waiting or self._ending)
                taken = self._next()
            if not taken:
                return
            wanted = [one for one in taken if one.done.set_running_or_notify_cancel()]  # nobody waits for the others
            with self._writing:
                error = self._written(wanted)
            with self._woken:
                self._waiting_bytes -= sum(one.size_bytes for one in taken)
            for one in wanted:
                if error is None:
                    one.done.set_result(None)
                else:
                    one.done.set_exception(error)

    def _next(self) -> list[_Waiting]:
        """The bodies to write next: all that wait, or as many as fill a segment."""
        count = size_bytes = 0
        while count < len(self._waiting) and size_bytes < self._limits.segment_bytes:
            size_bytes += self._waiting[count].size_bytes
            count += 1
        taken, self._waiting = self._waiting[:count], self._waiting[count:]
        return taken

    def _written(self, taken: list[_Waiting]) -> Refusal | None:
        """Write and sync bodies, all or none. Returns the refusal if that fails."""
        try:
            path, descriptor = self._segment()
            size_bytes = sum(_write_all(descriptor, part) for part in _gathered(taken))
            os.fdatasync(descriptor)
        except Exception as error:  # of any kind: if this thread ended, every sender would wait for ever
            LOG.error("the spool cannot be written: %s", error, exc_info=not isinstance(error, OSError))
            self._drop_tail()
            said = one_line(error) or type(error).__name__
            is_full = isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)
            refusal = disk_full() if is_full else unavailable("spool_unwritable", "cannot write to its disk")
            self._unwritten = _UNWRITABLE.format(self._folder, said, refusal.status)
            return refusal
        self._unwritten = None
        self._open_bytes += size_bytes
        self._sizes[path] = self._open_bytes
        if self._open_bytes >= self._limits.segment_bytes:
            self._close_segment()
        return None

    def _segment(self) -> tuple[Path, int]:
        if self._open is None:
            # Names sort by age and are never reused: the lake recognises by them what it has.
            self._named = max(self._named + 1, time.time_ns() // 1000)  # even if the clock is set back
            path = self._folder / f"{self._named:017}-{uuid.uuid4().hex}{_SUFFIX}"
            descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_APPEND, 0o600)
            self._open, self._open_bytes = (path, descriptor), 0
            sync_folder(self._folder)
        return self._open

    def _drop_tail(self) -> None:
        """After a failure the content of a file is unknown: cut it to what was acknowledged, and use another."""
        if self._open is None:
            return
        try:
            os.ftruncate(self._open[1], self._open_bytes)
            if not self._open_bytes:
                self._open[0].unlink()
        except OSError as error:
            LOG.error("%s: what was not acknowledged could not be cut off: %s", self._open[0].name, error)
        self._close_segment()

    def _close_segment(self) -> None:
        if self._open is not None:
            (_, descriptor), self._open = self._open, None
            with suppress(OSError):  # everything acknowledged is synced already
                os.close(descriptor)


def check_spool(folder: Path) -> None:
    """Make sure that a collector can use a folder as its spool, which is made if it is missing.

    Raises:
        BadArgument: another collector has it, or it cannot be written.
    """
    os.close(_locked(folder))


def _locked(folder: Path) -> int:
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = os.open(folder / SPOOL_LOCK, os.O_CREAT | os.O_RDWR, 0o600)
    except OSError as error:
        raise BadArgument(f"The spool {folder} cannot be written ({error.strerror}). Nothing was started.") from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(lock)
        raise BadArgument(
            f"Another collector has the spool {folder}. Nothing was started. "
            "Several may share a lake: choose another folder with --spool."
        ) from error
    return lock


def _number(path: Path) -> int:
    """When a segment was begun, from its name."""
    number = path.name.partition("-")[0]
    return int(number) if number.isdecimal() else 0


def _cut(path: Path, whole_bytes: int) -> None:
    torn_bytes = path.stat().st_size - whole_bytes
    LOG.warning(
        "%s: cut %s bytes behind the last whole body, which were never acknowledged", path.name, f"{torn_bytes:,}"
    )
    os.truncate(path, whole_bytes)


def _gathered(taken: list[_Waiting]) -> Iterator[bytes | bytearray | memoryview]:
    """The parts to write, small ones joined, as many bodies have only a few hundred bytes."""
    small = bytearray()
    for one in taken:
        for part in one.body.packed():
            if len(part) < _SMALL_BYTES:
                small += part
            if len(part) >= _SMALL_BYTES or len(small) >= _SMALL_BYTES:
                yield small
                small = bytearray()
            if len(part) >= _SMALL_BYTES:
                yield part
    yield small


def _write_all(descriptor: int, part: bytes | bytearray | memoryview) -> int:
    left = memoryview(part)
    while left:
        left = left[os.write(descriptor, left) :]
    return len(part)
