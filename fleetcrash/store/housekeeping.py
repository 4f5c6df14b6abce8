"""Keeping the lake in order: merging and sorting files, and deleting those that are no longer needed.

Readers and writers go on meanwhile. A reader keeps its snapshot, whose files stay for as long as ``keep``; a writer's
commit and a merge never touch the same files. If two merges overlap, the later one finds its files replaced, drops what
it wrote and begins again.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from fleetcrash.errors import LakeError
from fleetcrash.records import table_columns
from fleetcrash.store.lake import File, Lake
from fleetcrash.store.log import UNDER_WAY_S, Log, Swept, age_s, checkpoint, delete, replace, replaced, unreferenced
from fleetcrash.store.rewriting import SETTLED, SPILL, TARGET_BYTES, Rewriter, write_files
from fleetcrash.store.trouble import unwritable

# How long a reader may go on with a snapshot whose files have been replaced: longer than any query or any page.
KEEP = timedelta(hours=24)

# Rows of one host lie in one row group of each merged file, so that a question on it reads little. Merged files of
# full size stay as they are: each holds what came in one stretch of time, so that a question on an hour reads few.
_SORTED_BY = {
    "crash": ("host_id", "module", "code"),
    "install": ("host_id", "applied_at"),
    "host": ("host_id", "known_at"),
    "heartbeat": ("host_id", "at"),
    "session": ("host_id", "online_from"),
}

_GROUP_BYTES = 8 * TARGET_BYTES  # merged in one commit; bounds what is lost when it is cut short, and the disk it takes
_MERGE_TRIES = 3


@dataclass(frozen=True)
class Compacted:
    """What became of a table.

    Attributes:
        merged: files that were merged.
        into: files that they became.
        swept: replaced files, orphans and log entries that were deleted.
    """

    table: str
    merged: int
    into: int
    swept: Swept

    def as_json(self) -> dict[str, Any]:
        """For a command's output."""
        return {
            "table": self.table,
            "merged": self.merged,
            "into": self.into,
            "deleted": self.swept.files,
            "deleted_bytes": self.swept.size_bytes,
        }


def compact(lake: Lake, *tables: str, keep: timedelta = KEEP) -> list[Compacted]:
    """Merge and sort the files of tables, write checkpoints, delete what is no longer needed.

    A table that has had nothing new since the last time is left as it is.

    Args:
        tables: their names; none: all.
        keep: for how long replaced files and log entries stay.
    Raises:
        LakeError: a table cannot be read or written, or others keep merging it at the same time.
    """
    lake.check_writable()
    done = []
    for name in tables or table_columns():
        merged, into = _merge(lake, name)
        checkpoint(lake, name)
        done.append(Compacted(name, merged, into, sweep(lake, name, keep=keep)))
    sweep_spills(lake)
    return done


def sweep(lake: Lake, table: str, *, keep: timedelta) -> Swept:
    """Delete files that were replaced, orphans, and log entries that a checkpoint replaces, all older than ``keep``.

    Raises:
        LakeError: the table cannot be read, or one of them cannot be deleted.
    """
    keep_s = keep.total_seconds()
    old_enough_s = max(keep_s, UNDER_WAY_S)
    spare = unreferenced(lake, table)
    now_s = time.time()
    old = [path for path, removed_s in spare.replaced.items() if now_s - removed_s >= keep_s]
    orphans = [path for path in spare.orphans if age_s(path) >= old_enough_s]
    try:
        return delete(old) + delete(orphans) + Log(lake.folder(table)).prune(older_than_s=old_enough_s)
    except OSError as error:
        raise unwritable(lake.root, table, error) from error


def sweep_spills(lake: Lake) -> list[Path]:
    """Delete files that a killed merge left from sorting. Returns the folders that may be in use."""
    in_use = []
    for folder in lake.root.glob(f"{SPILL}*"):
        if min((age_s(path) for path in (folder, *folder.rglob("*"))), default=0.0) >= UNDER_WAY_S:
            shutil.rmtree(folder, ignore_errors=True)
        else:
            in_use.append(folder)
    return in_use


def _merge(lake: Lake, table: str) -> tuple[int, int]:
    """Merge what is to be merged. Returns how many files became how many."""
    merged = into = 0
    for _ in range(_MERGE_TRIES):
        groups = _groups(lake.files(table))
        results = [_merge_group(lake, table, group) for group in groups]
        merged += sum(len(group) for group, count in zip(groups, results, strict=True) if count is not None)
        into += sum(count for count in results if count is not None)
        if None not in results:
            return merged, into
    raise LakeError(
        f"{table} in the lake at {lake.root} is being compacted by somebody else. Nothing is lost; run it again later."
    )


def _groups(files: Sequence[File]) -> list[list[File]]:
    """The files to merge with one another: all but those that were merged before and are large enough."""
    groups: list[list[File]] = []
    size_bytes = 0
    for file in files:
        settled = Path(file.path).name.startswith(SETTLED)
        if settled and file.size_bytes >= TARGET_BYTES // 2:
            continue
        if not groups or size_bytes + file.size_bytes > _GROUP_BYTES:
            groups.append([])
            size_bytes = 0
        groups[-1].append(file)
        size_bytes += file.size_bytes
    return [group for group in groups if len(group) > 1 or not Path(group[0].path).name.startswith(SETTLED)]


def _merge_group(lake: Lake, table: str, group: Sequence[File]) -> int | None:
    """Merge files. Returns how many they became; None when somebody else has replaced one of them."""
    order = ", ".join(f'"{name}"' for name in _SORTED_BY.get(table, ()))
    query = f"SELECT * FROM rows ORDER BY {order}" if order else "SELECT * FROM rows"  # noqa: S608 - names of ours
    paths = [file.path for file in group]
    try:
        with Rewriter(lake) as rewriter:
            written = write_files(lake, table, rewriter.whole_rows(table, paths, query), settled=True)
    except LakeError:
        if replaced(lake, table, paths):
            return None
        raise
    if replace(lake, table, [Path(file.path).name for file in group], written, same_rows=True):
        return len(written)
    delete([lake.folder(table) / one.name for one in written])
    return None
