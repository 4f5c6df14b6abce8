"""The log of a table: replacing files by others in one commit, checkpoints, and what is no longer needed.

A table's folder holds Parquet files and ``_delta_log``. There, ``<version>.json`` is a commit: files added with the
least and the greatest value of each column, files removed, batches committed. A checkpoint sums up all commits up to
its version. A file that the newest snapshot does not name is *replaced* when the log says so, and otherwise an
*orphan*: its writer was killed before its commit, or is about to make it.
"""

from __future__ import annotations

import json
import os
import random
import re
import time
import uuid
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.parquet as pq
from deltalake import CommitProperties, DeltaTable, PostCommitHookProperties
from deltalake._internal import RemoveAction
from deltalake.exceptions import CommitFailedError, DeltaError
from deltalake.transaction import AddAction

from fleetcrash.errors import LakeError, one_line
from fleetcrash.store.lake import Lake
from fleetcrash.store.trouble import unwritable

# A younger file may belong to a write under way, so only its writer deletes it.
UNDER_WAY_S = 600.0

_COMMIT_TRIES = 50
_COMMIT = re.compile(r"(\d{20})\.json")
_CHECKPOINT = re.compile(r"(\d{20})\.checkpoint(\..+)?\.parquet")
_REDACTED = "_redacted-"


@dataclass(frozen=True)
class Swept:
    """What was deleted."""

    files: int = 0
    size_bytes: int = 0

    def __add__(self, other: Swept) -> Swept:
        return Swept(self.files + other.files, self.size_bytes + other.size_bytes)


@dataclass(frozen=True)
class NewFile:
    """A Parquet file that was written into a table's folder, and what the log is to say about it.

    Attributes:
        stats: numRecords, minValues, maxValues and nullCount, as JSON.
    """

    name: str
    size_bytes: int
    rows: int
    stats: str


@dataclass(frozen=True)
class Unreferenced:
    """Parquet files in a table's folder that its newest snapshot does not name.

    Attributes:
        replaced: with the time of their removal, seconds since the epoch.
    """

    replaced: dict[Path, float]
    orphans: tuple[Path, ...]


def replace(lake: Lake, table: str, old: Collection[str], new: Sequence[NewFile], *, same_rows: bool) -> bool:
    """Replace old files by new ones in one commit; the table's other files may change meanwhile.

    deltalake's own check for conflicts accepts two such commits that replace the same files, and their rows would be
    there twice. So the commit is made for exactly the next version, after checking that the old files are still there.

    Args:
        old: names of files.
        same_rows: the new files hold the rows of the old ones, and the commit says that no data changed. Otherwise
            deltalake refuses an append at the same time, which ``Lake.append`` then tries again.
    Returns:
        False when an old file has been replaced by another process; nothing was changed.
    Raises:
        LakeError: the table cannot be written.
    """
    sizes = {Path(file.path).name: file.size_bytes for file in lake.files(table)}
    for _ in range(_COMMIT_TRIES):
        delta = lake.delta(table)
        try:
            active = {Path(unquote(uri)).name for uri in delta.file_uris()}
        except DeltaError:
            continue  # its checkpoint has been replaced by a newer one
        if new and active.issuperset(one.name for one in new):
            return True  # the try before succeeded although it was reported as failed
        if not active.issuperset(old):
            return False
        now_ms = int(time.time() * 1000)
        removed = [RemoveAction(name, not same_rows, now_ms, sizes.get(name), {}) for name in sorted(old)]
        added = [AddAction(one.name, one.size_bytes, {}, now_ms, not same_rows, one.stats) for one in new]
        try:
            delta.create_write_transaction(
                [*removed, *added],
                mode="append",
                schema=delta.schema(),
                commit_properties=CommitProperties(max_commit_retries=0),
                post_commithook_properties=PostCommitHookProperties(
                    create_checkpoint=False, cleanup_expired_logs=False
                ),
            )
            return True
        except CommitFailedError:
            time.sleep(random.uniform(0.0, 0.05))  # noqa: S311 - so that two do not meet again
        except (OSError, DeltaError) as error:
            raise unwritable(lake.root, table, error) from error
    raise LakeError(f"{table} in the lake at {lake.root} is written by too many at once; run it again later.")


def replaced(lake: Lake, table: str, paths: Collection[str]) -> bool:
    """Whether one of these files has been replaced, so that it may be deleted by now.

    Raises:
        LakeError: the table cannot be read.
    """
    return not {file.path for file in lake.files(table)}.issuperset(paths)


def checkpoint(lake: Lake, table: str) -> None:
    """Write a checkpoint of the newest version, unless there is one.

    Raises:
        LakeError: the table cannot be read or written.
    """
    log = Log(lake.folder(table))

    def sum_up(delta: DeltaTable) -> None:
        if delta.version() != log.hinted() or delta.version() not in log.checkpoints():
            delta.create_checkpoint()

    try:
        lake.ask(table, sum_up)
    except (OSError, DeltaError) as error:
        raise unwritable(lake.root, table, error) from error


def unreferenced(lake: Lake, table: str) -> Unreferenced:
    """The Parquet files in the folder that the newest snapshot does not name.

    Raises:
        LakeError: the table cannot be read.
    """
    there = sorted(lake.folder(table).glob("*.parquet"))  # listed first: files written from here on do not matter
    active = {Path(file.path).name for file in lake.files(table)}
    try:
        removed = Log(lake.folder(table)).removed()
    except (OSError, ValueError, LookupError, pa.ArrowException) as error:
        raise LakeError(f"{table} in the lake at {lake.root} cannot be read: {one_line(error)}.") from error
    spare = [path for path in there if path.name not in active]
    return Unreferenced(
        {path: removed[path.name] for path in spare if path.name in removed},
        tuple(path for path in spare if path.name not in removed),
    )


def delete(paths: Collection[Path]) -> Swept:
    """Delete files; one that is already gone does not count."""
    swept = Swept()
    for path in paths:
        try:
            size = path.stat().st_size
            path.unlink()
        except FileNotFoundError:
            continue
        swept += Swept(1, size)
    return swept


def age_s(path: Path) -> float:
    """How long ago a file was last written; 0 for one that is gone."""
    try:
        return time.time() - path.stat().st_mtime
    except FileNotFoundError:
        return 0.0


class Log:
    """The files of a table's log.

    Args:
        folder: the table's.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "_delta_log"
        self.hint_path = self.folder / "_last_checkpoint"

    def commits(self) -> dict[int, Path]:
        """Commits by version, in order."""
        return self._named(_COMMIT)

    def checkpoints(self) -> dict[int, Path]:
        """Checkpoints by version, in order."""
        return self._named(_CHECKPOINT)

    def hinted(self) -> int | None:
        """Version of the checkpoint that the log names as the newest; None where it names none, or is damaged."""
        try:
            return int(json.loads(self.hint_path.read_bytes())["version"])
        except (OSError, ValueError, TypeError, LookupError):
            return None

    def newest_checkpoint(self) -> int | None:
        """Version of the checkpoint from which a reader starts."""
        found, hinted = self.checkpoints(), self.hinted()
        return hinted if hinted in found else max(found, default=None)

    def removed(self) -> dict[str, float]:
        """Names of files that were removed from the table, with the time, as far as the log still says."""
        for left in reversed(range(3)):
            try:
                return self._removed()
            except (FileNotFoundError, KeyError):
                if not left:  # the checkpoint was replaced by a newer one before it was read
                    raise
        raise AssertionError("unreachable")

    def _removed(self) -> dict[str, float]:
        newest = self.newest_checkpoint()
        found: dict[str, float] = {}
        if newest is not None:
            with pq.ParquetFile(self.checkpoints()[newest]) as parquet:
                rows = parquet.read(columns=["remove.path", "remove.deletionTimestamp"])["remove"]
            for row in rows.drop_null().to_pylist():
                found[unquote(row["path"])] = (row["deletionTimestamp"] or 0) / 1000
        for version, path in self.commits().items():
            if newest is None or version > newest:
                for action in _actions(path):
                    gone = action.get("remove")
                    if gone:
                        found[unquote(gone["path"])] = (gone.get("deletionTimestamp") or 0) / 1000
        return found

    def prune(self, *, older_than_s: float, unwanted: Callable[[Path], bool] = lambda _checkpoint: False) -> Swept:
        """Delete commits and checkpoints that the newest checkpoint replaces, and what killed writers left.

        The commit of the checkpoint's own version stays: a writer looks there for the newest version.

        Args:
            older_than_s: younger ones stay; a writer that began before them may be about to commit after them.
            unwanted: tells which checkpoints are deleted at any age. Readers that have begun with one start again.
        """
        newest = self.newest_checkpoint()
        if newest is None:
            return Swept()
        commits = [path for version, path in self.commits().items() if version < newest]
        checkpoints = [path for version, path in self.checkpoints().items() if version < newest]
        replaced = [path for path in (*commits, *checkpoints) if age_s(path) >= older_than_s]
        replaced += [path for path in checkpoints if path not in replaced and unwanted(path)]
        known = {*self.commits().values(), *self.checkpoints().values(), self.hint_path}
        beside = self.folder.parent.glob(f"{_REDACTED}*")
        left = [path for path in (*self.folder.glob("*"), *beside) if path not in known and path.is_file()]
        return delete(replaced) + delete([path for path in left if age_s(path) >= max(older_than_s, UNDER_WAY_S)])

    def redact(self) -> None:
        """Remove column values from commits that the newest checkpoint replaces and that stay for now."""
        newest = self.newest_checkpoint()
        for version, path in self.commits().items():
            if newest is None or version > newest:
                continue
            try:
                text, written = path.read_bytes(), path.stat()
            except FileNotFoundError:
                continue  # deleted by another process meanwhile
            clean = b"".join(_without_values(line) + b"\n" for line in text.splitlines() if line.strip())
            if clean == text:
                continue
            beside = self.folder.parent / f"{_REDACTED}{uuid.uuid4()}"
            beside.write_bytes(clean)
            os.utime(beside, ns=(written.st_atime_ns, written.st_mtime_ns))  # its age decides when it is deleted
            beside.replace(path)

    def _named(self, pattern: re.Pattern[str]) -> dict[int, Path]:
        matches = ((pattern.fullmatch(path.name), path) for path in self.folder.glob("*"))
        return dict(sorted((int(match[1]), path) for match, path in matches if match))


def _actions(commit: Path) -> list[dict[str, Any]]:
    try:
        return [json.loads(line) for line in commit.read_bytes().splitlines() if line.strip()]
    except FileNotFoundError:
        return []  # a checkpoint has just replaced it


def _without_values(line: bytes) -> bytes:
    try:
        action = json.loads(line)
    except ValueError:
        return b"{}"  # it is of no use, and may hold anything
    for name in ("add", "remove"):
        if isinstance(action.get(name), dict):
            action[name].pop("stats", None)
    told = action.get("commitInfo")
    if isinstance(told, dict):
        kept = ("timestamp", "operation", "readVersion", "engineInfo", "clientVersion")
        action["commitInfo"] = {name: told[name] for name in kept if name in told}
    return json.dumps(action, separators=(",", ":")).encode()
