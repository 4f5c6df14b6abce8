"""Answers kept beside the facts, in the lake's folder ``_cache``, so that they need not be counted again.

Anybody may delete any of them at any time without changing an answer. An answer is a Parquet file named by its key,
which covers everything that the answer depends on, and by a digest of the key and the content: a file that is torn,
damaged or misnamed is ignored. Where nothing can be written, nothing is kept.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import stat
import uuid
from collections.abc import Iterable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

# The queries whose answers may be kept: they read many facts, and no row of an answer is about one host or crash.
AGGREGATES = frozenset(
    {
        "blast_radius_by_os_agent_version",
        "clustering/counts_by_cluster",
        "clustering/counts_by_cluster_selected",
        "clustering/counts_by_variant_os",
        "clustering/counts_by_variant_os_selected",
        "clustering/seen_by_cluster",
        "clustering/titles_by_cluster",
        "clustering/watched_from",
        "crash_rate_by_agent_version",
        "crash_rate_by_minute_agent_version",
        "crash_rate_by_minute_os",
        "crash_rate_by_minute_update",
        "crash_rate_by_update",
        "crash_rate_lately",
        "crashes_by_cluster_bucket",
        "detection/left_by_minute_cell",
        "detection/left_with_update",
        "detection/online_by_minute_cell",
        "detection/online_by_minute_place",
        "earlier_rate_by_hour",
        "filter_values",
        "fleet_now",
        "hosts_affected",
        "newest_known",
    }
)

FOLDER = "_cache"
# A page of the dashboard asks some fifteen questions. Of 20,000 hosts in three days the largest answer takes 8 MB.
MOST_FILES = 256
MOST_BYTES = 256 * 1024 * 1024

_DIGITS = 32  # of a digest, 128 bits


class Aggregates:
    """The kept answers of one lake. Any number of processes may use them at once.

    Args:
        root: the lake's folder.
        part: a folder in that of the answers, for some that make room for one another alone; empty: that folder itself.
    """

    def __init__(self, root: Path, *, part: str = "") -> None:
        self._root = root
        self._folder = root / FOLDER / part

    def find(self, key: str) -> pa.Table | None:
        """The answer kept under a key; None where there is no intact one."""
        try:
            if self._is_elsewhere():
                return None
            for path in self._folder.glob(f"{key}-*.parquet"):
                content = _content(path)
                if content is not None and path.name == _name(key, content):
                    answer: pa.Table = pq.read_table(pa.BufferReader(content))
                    return answer
        except (OSError, pa.ArrowException):
            pass  # deleted just now, or not readable by us
        return None

    def put(self, key: str, answer: pa.Table, *, rests_on: Iterable[str]) -> None:
        """Keep an answer if that is possible; the oldest ones are deleted to make room.

        Args:
            rests_on: the files that it was counted from. If one of them is gone the answer is not kept: a host may have
                been forgotten meanwhile, and with it what only its rows said.
        """
        sink = pa.BufferOutputStream()
        pq.write_table(answer, sink)
        content = sink.getvalue()
        path = self._folder / _name(key, content)
        with contextlib.suppress(OSError):
            # A disk with less room than the cache may take is left to the facts.
            if content.size > MOST_BYTES // 2 or shutil.disk_usage(self._root).free < MOST_BYTES:
                return
            self._folder.mkdir(exist_ok=True, parents=True)
            if self._is_elsewhere():
                return
            unnamed = self._folder / f"{uuid.uuid4()}.tmp"
            try:
                unnamed.write_bytes(content)
                unnamed.replace(path)
            finally:
                unnamed.unlink(missing_ok=True)
            if not all(map(os.path.exists, rests_on)):
                path.unlink()
            self._make_room()

    def clear(self) -> list[Path]:
        """Delete what is kept. Returns the files that could not be deleted."""
        if self._is_elsewhere():
            return []  # nothing of ours is behind it
        shutil.rmtree(self._folder, ignore_errors=True)
        return [path for path in self._folder.rglob("*") if path.is_file()]

    def renew(self, key: str) -> bool:
        """Count an answer that is kept among the newest ones. Returns whether there is an intact one."""
        if self.find(key) is None:
            return False
        with contextlib.suppress(OSError):
            for path in self._folder.glob(f"{key}-*.parquet"):
                os.utime(path)
        return True

    def _is_elsewhere(self) -> bool:
        return self._folder.is_symlink() or (self._root / FOLDER).is_symlink()

    def _make_room(self) -> None:
        """Delete the oldest files beyond the bounds, of any kind: a killed writer may have left some."""
        with os.scandir(self._folder) as entries:
            found = [(entry.stat(follow_symlinks=False), Path(entry.path)) for entry in entries]
        found.sort(key=lambda one: one[0].st_mtime_ns, reverse=True)
        size_bytes = 0
        for number, (status, path) in enumerate(found):
            size_bytes += status.st_size
            if number >= MOST_FILES or size_bytes > MOST_BYTES:
                with contextlib.suppress(OSError):
                    path.unlink()


def _name(key: str, content: pa.Buffer | bytes) -> str:
    digest = hashlib.sha256(key.encode())
    digest.update(content)
    return f"{key}-{digest.hexdigest()[:_DIGITS]}.parquet"


def _content(path: Path) -> bytes | None:
    """The bytes of a plain file within the bounds; None for anything else, such as a link or a pipe."""
    status = path.lstat()
    if not stat.S_ISREG(status.st_mode) or status.st_size > MOST_BYTES:
        return None
    return path.read_bytes()
