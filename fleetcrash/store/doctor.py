"""What is wrong with a lake, what it means, and what to do about it.

Nothing is taken on trust and nothing is changed. The log is read as plain files before deltalake reads it, and every
Parquet file to its last page. A damaged lake is what this is for, so damage is a finding, never an error.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from shlex import quote

import pyarrow as pa
import pyarrow.parquet as pq

from fleetcrash.errors import LakeError, is_fault, one_line
from fleetcrash.records import table_columns
from fleetcrash.store.aggregates import FOLDER
from fleetcrash.store.books import Batches, in_the_books
from fleetcrash.store.findings import BACKUP, Finding, Severity, broken, note
from fleetcrash.store.lake import File, Lake
from fleetcrash.store.log import Log, unreferenced
from fleetcrash.store.migration import older
from fleetcrash.store.paths import DAMAGED, SPOOL
from fleetcrash.store.schema import SCHEMA_VERSION
from fleetcrash.store.trouble import BE_THE_OWNER, is_closed

# Compaction needs room for a second copy of up to 1 GiB of what it merges, and as much again to sort it.
_LEAST_FREE_SHARE, _LEAST_FREE_BYTES = 0.05, 2 * 1024**3


def examine(lake: Lake, *, progress: Callable[[int, int], None] | None = None) -> list[Finding]:
    """Look at everything in a lake, and change nothing.

    Args:
        progress: called with bytes read and bytes to read of the files at hand.
    Returns:
        The findings, broken ones first; none when all is well.
    Raises:
        LakeError: there is no lake at all.
    """
    lake.check_present()
    is_open = not any(is_closed(_log_folder(lake, name)) for name in table_columns())
    if is_open and (unmade := _unmade(lake)):
        return [unmade, *_disk(lake)]
    rows = Batches()
    findings: list[Finding] = []
    whole = True
    for name in table_columns():
        found = list(_table(lake, name, rows, progress or (lambda _done, _total: None)))
        whole = whole and not any(one.severity is Severity.BROKEN for one in found)
        findings += found
    if whole:  # else some rows, and so some batches, were not seen
        findings += in_the_books(lake, rows)
    findings += [*_damaged_on_the_way(lake), *_kept_answers(lake), *_disk(lake)]
    return sorted(findings, key=lambda one: one.severity is not Severity.BROKEN)


def _unmade(lake: Lake) -> Finding | None:
    """A lake that was not made to the end: some tables have no log, and the others only their first commit."""
    logs = {name: Log(lake.folder(name)) for name in table_columns()}
    missing = [name for name, log in logs.items() if not log.commits()]
    if not missing or any(set(log.commits()) > {0} or log.checkpoints() for log in logs.values()):
        return None
    if any(True for name in logs for _ in lake.folder(name).glob("*.parquet")):
        return None
    return note(
        lake.root,
        f"Tables are missing, and the others are empty: {', '.join(missing)}.",
        "What made the lake was cut short, before it held anything. What only reads it says that it lacks a table.",
        "Run it again: load, serve and whatever else makes a lake makes the rest of this one.",
    )


def _closed(path: Path) -> Finding:
    """What we are not permitted to read, which says nothing of whether it is sound."""
    return broken(
        path,
        "This user may not read it.",
        "It may be sound: it was not looked at. Whatever needs it fails for this user.",
        f"{BE_THE_OWNER} If another user wrote it, such as root, give it to the one whose the lake is, with chown.",
    )


def _log_folder(lake: Lake, table: str) -> Path:
    return lake.folder(table) / "_delta_log"


def _table(lake: Lake, table: str, rows: Batches, progress: Callable[[int, int], None]) -> Iterator[Finding]:
    folder = lake.folder(table)
    if closed_one := next(filter(is_closed, (folder, _log_folder(lake, table))), None):
        yield _closed(closed_one)
        return
    if not _log_folder(lake, table).is_dir():
        yield broken(
            folder,
            f"The table {table} is missing.",
            "Only doctor opens this lake, and what makes a lake where there is none, such as load and serve.",
            "Restore the folder from a backup; or load anything, which makes the table anew, empty.",
        )
        return
    damaged = list(_log(folder))
    yield from damaged
    if any(one.severity is Severity.BROKEN for one in damaged):
        return  # deltalake takes some damage for an older state of the table, which would then look sound
    try:
        files = lake.files(table)
        version = lake.schema_version(table)
        outdated = older(lake, table)
        fields = pa.schema(lake.delta(table).schema().to_arrow())
        spare = unreferenced(lake, table)
    except LakeError as error:
        yield broken(folder, str(error), "The table cannot be read.", BACKUP)
        return
    except BaseException as error:
        if not is_fault(error):
            raise
        yield broken(folder, f"Its log cannot be read: {one_line(error)}.", "The table cannot be read.", BACKUP)
        return
    yield from _schema(lake, table, version, outdated, fields)
    total = sum(file.size_bytes for file in files)
    done = 0
    for file in files:
        yield from _file(file, table, rows)
        done += file.size_bytes
        progress(done, total)
    if spare.orphans:
        size = sum(path.stat().st_size for path in spare.orphans if path.exists())
        yield note(
            folder,
            f"{len(spare.orphans)} Parquet file(s) of {size:,} bytes are in no log.",
            "A writer was killed before its commit, or is about to make it. Nobody reads them.",
            "Nothing; `fleetcrash compact` removes them after a day.",
        )


def _log(folder: Path) -> Iterator[Finding]:
    """Damage to the files of a log."""
    log = Log(folder)
    means = f"The table {folder.name} cannot be trusted: what this file said of it is lost."
    commits, checkpoints = log.commits(), log.checkpoints()
    newest = log.newest_checkpoint()
    needed = [path for version, path in commits.items() if newest is None or version >= newest]
    if closed := [path for path in (*checkpoints.values(), log.hint_path, *needed) if is_closed(path)]:
        yield from map(_closed, closed)
        return
    for path in checkpoints.values():
        problem = _unreadable(path)
        if problem:
            yield broken(path, f"The checkpoint cannot be read: {problem}.", means, BACKUP)
    yield from _hint(log)
    for version, path in commits.items():
        problem = _unparsable(path)
        if problem and newest is not None and version < newest:
            yield note(path, f"The commit cannot be read: {problem}.", "A checkpoint has replaced it.", "Nothing.")
        elif problem:
            yield broken(path, f"The commit cannot be read: {problem}.", means, BACKUP)
    if not commits and not checkpoints:
        first_commit = log.folder / f"{0:020}.json"
        yield broken(first_commit, "The log holds no commit at all.", f"The table {folder.name} is lost.", BACKUP)
        return
    first = 0 if newest is None else newest
    last = max(commits, default=-1)
    for version in range(first, max(last, first) + 1):
        if version not in commits:
            path = log.folder / f"{version:020}.json"
            yield broken(path, "The commit is missing.", means, BACKUP)


def _hint(log: Log) -> Iterator[Finding]:
    """Damage to the file that says which checkpoint is the newest."""
    path, named, checkpoints = log.hint_path, log.hinted(), log.checkpoints()
    if named in checkpoints or (not path.exists() and not checkpoints):
        return
    means = "Readers have to search the log for where to begin, or find nothing."
    if not path.exists():
        yield broken(path, "It is missing, and there are checkpoints.", means, "Run `fleetcrash compact`.")
    elif named is None:
        yield broken(path, "It cannot be read.", means, "Run `fleetcrash compact`, which writes it anew.")
    else:
        file = log.folder / f"{named:020}.checkpoint.parquet"
        yield broken(file, f"The checkpoint is missing, and {path.name} names it.", means, BACKUP)


def _unparsable(commit: Path) -> str | None:
    """What is wrong with a commit; None for nothing."""
    try:
        lines = [line for line in commit.read_bytes().splitlines() if line.strip()]
        actions = [json.loads(line) for line in lines]
    except (OSError, ValueError) as error:
        return one_line(error)
    if not actions:
        return "it is empty"
    return None if all(isinstance(action, dict) for action in actions) else "it is not made of objects"


def _unreadable(parquet_file: Path) -> str | None:
    """What is wrong with a Parquet file; None for nothing."""
    try:
        with pq.ParquetFile(parquet_file, page_checksum_verification=True) as parquet:
            for _ in parquet.iter_batches():
                pass
    except Exception as error:
        return one_line(error) or type(error).__name__
    return None


def _schema(lake: Lake, table: str, version: str | None, outdated: bool, fields: pa.Schema) -> Iterator[Finding]:
    folder = lake.folder(table)
    if outdated:
        yield broken(
            folder,
            f"The table is of schema {version}; this version reads {SCHEMA_VERSION}.",
            "No command but doctor opens this lake. Nothing is lost.",
            f"Run `fleetcrash doctor --migrate --lake {quote(str(lake.root))}`.",
        )
        return
    if version != str(SCHEMA_VERSION):
        yield broken(
            folder,
            f"The table is of schema {version or 'unknown'}; this version reads {SCHEMA_VERSION}.",
            "No command but doctor opens this lake. Nothing is lost.",
            "Use the version of fleetcrash that wrote it.",
        )
        return
    wanted = {one.name: one.type for one in lake.schemas[table]}
    there = {one.name: one.type for one in fields}
    missing = sorted(set(wanted) - set(there))
    other = sorted(name for name in set(wanted) & set(there) if not _alike(wanted[name], there[name]))
    if missing or other:
        yield broken(
            folder,
            f"Columns are not as they should be: missing {missing}, of another type {other}.",
            "Something else than fleetcrash has changed the table.",
            BACKUP,
        )
    unknown = sorted(set(there) - set(wanted))
    if unknown:
        yield note(
            folder,
            f"Columns that fleetcrash does not know: {unknown}.",
            "Something else than fleetcrash has added them. They are not read, and lost when files are merged.",
            "Keep them elsewhere.",
        )


def _alike(one: pa.DataType, other: pa.DataType) -> bool:
    """Whether two types are the same except for the names of parts of lists or maps, and the width of offsets."""
    if pa.types.is_list(one) or pa.types.is_large_list(one):
        lists = pa.types.is_list(other) or pa.types.is_large_list(other)
        return lists and _alike(one.value_type, other.value_type)
    if pa.types.is_map(one):
        return (
            pa.types.is_map(other) and _alike(one.key_type, other.key_type) and _alike(one.item_type, other.item_type)
        )
    if pa.types.is_struct(one):
        return (
            pa.types.is_struct(other)
            and [part.name for part in one] == [part.name for part in other]
            and all(_alike(mine.type, its.type) for mine, its in zip(one, other, strict=True))
        )
    return _plain_name(one) == _plain_name(other)


def _plain_name(kind: pa.DataType) -> str:
    return str(kind).removeprefix("large_").removesuffix("_view")


def _file(file: File, table: str, rows: Batches) -> Iterator[Finding]:
    path = Path(file.path)
    means = f"Its rows of {table} are lost, and questions that read it fail."
    try:
        size = path.stat().st_size
    except OSError as error:
        yield broken(path, f"The log names this file, and it is not there ({error.strerror}).", means, BACKUP)
        return
    if size != file.size_bytes:
        found = f"The file has {size:,} bytes; the log says {file.size_bytes:,}."
        yield broken(path, found, means, BACKUP)
        return
    if is_closed(path):
        yield _closed(path)
        return
    counted = 0
    try:
        with pq.ParquetFile(path, page_checksum_verification=True) as parquet:
            for batch in parquet.iter_batches():
                counted += len(batch)
                rows.count(batch, table)
    except Exception as error:
        yield broken(path, f"The file is damaged: {one_line(error) or type(error).__name__}.", means, BACKUP)
        return
    if file.rows is not None and counted != file.rows:
        found = f"The file has {counted:,} rows; the log says {file.rows:,}."
        yield broken(path, found, "It is not the file that was written.", BACKUP)


def _damaged_on_the_way(lake: Lake) -> Iterator[Finding]:
    """Damaged files that a collector has put aside, if its spool is in the lake."""
    for path in sorted((lake.root / SPOOL).glob(f"*{DAMAGED}")):
        yield broken(
            path,
            "Records in this file of the collector's spool were damaged on its disk.",
            "They were acknowledged to their senders and are not in the lake; what could be read of the file is.",
            "Let the senders send again what they sent then: what the lake has counts as a duplicate. See to the disk, "
            "and move the file away.",
        )


def _kept_answers(lake: Lake) -> Iterator[Finding]:
    folder = lake.root / FOLDER
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        yield note(
            folder,
            "It is not a folder of the lake's.",
            "Answers that take long cannot be kept in it, and are counted each time. They stay the same.",
            "Delete it; the next question makes the folder.",
        )


def _disk(lake: Lake) -> Iterator[Finding]:
    usage = shutil.disk_usage(lake.root)
    if usage.free < min(_LEAST_FREE_SHARE * usage.total, _LEAST_FREE_BYTES):
        yield note(
            lake.root,
            f"The disk has {usage.free / 1024**2:,.0f} MiB free of {usage.total / 1024**2:,.0f}.",
            "Loads and compaction will fail when it is full; what is in the lake stays whole.",
            "Make room: `fleetcrash compact --keep-files 1h` deletes what has been replaced.",
        )
