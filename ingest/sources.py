"""Finding the files to load, and recognising their formats.

Records of the contract are recognised by the suffix of their file, crash files by their content, as most have no suffix
of their own. A file with a suffix of the contract may still be a crash file, if its content says so.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from itertools import groupby
from pathlib import Path
from stat import S_ISREG

from fleetcrash.errors import UnreadableSource, one_line
from ingest import crash_files, csv_rows, ndjson, small_files, tables
from ingest.advice import KEYS, Misread, Unread, misread_as, unread_as
from ingest.arrival import Arrival
from ingest.crash_files import CrashFile
from ingest.formats.crashes import Told
from ingest.formats.format import HEAD_BYTES, Head
from ingest.formats.lines import behind_zeros
from ingest.opening import DAMAGED, PACKED, Blocks, begins, blocks_of, cut_short, path_text, stdin
from ingest.recognition import format_of, format_within

STDIN = "-"
TRUTH = "truth.json"  # beside the records of a simulated fleet; not a record

_NDJSON, _CSV, _PARQUET = (".ndjson", ".jsonl", ".json"), ".csv", ".parquet"
_TABLE = "_delta_log"  # a folder with this in it is a Delta table
_OF_A_LAKE = {"batch", "quarantine"}  # a folder with these two tables in it is a lake


@dataclass(frozen=True)
class Hosts:
    """The hosts to assume for crashes that name none.

    Attributes:
        host_id: the host of all of them.
        by_folder: take the host from the name of the folder, directly within the folder to load, that has the file.
    """

    host_id: str | None = None
    by_folder: bool = False

    def of(self, path: Path, within: Path | None) -> str | None:
        """The host of a file's crashes; None: unknown.

        Args:
            within: the folder to load in which it was found.
        """
        if self.by_folder and within is not None and path.parent != within:
            return path_text(path.relative_to(within).parts[0])
        return self.host_id


@dataclass(frozen=True)
class Source:
    """A source to load.

    Attributes:
        names: of its files, as given by the user or within the folder given by the user, as in the quarantine. Bytes
            that are not UTF-8 are escaped.
        size_bytes: on disk; None for a stream.
        batches: reads it; raises UnreadableSource if it cannot be read, after the batches before.
        is_of_crash_files: whether it consists of crash files, not of records of the contract.
        misread: what it looks like, if its lines are no records.
        is_joined: it may share a batch with others.
    """

    names: tuple[str, ...]
    size_bytes: int | None
    batches: Callable[[], Iterator[Arrival]]
    is_of_crash_files: bool = False
    misread: Misread | None = None
    is_joined: bool = False


@dataclass(frozen=True)
class Found:
    """What was found at some paths.

    Attributes:
        sources: in the order in which they are loaded.
        problems: one line for each path that cannot be read.
        left_out: files in folders that have no known format, and Delta tables.
        unread: those of them of which it is known what they are.
    """

    sources: list[Source]
    problems: list[str]
    left_out: list[str]
    unread: dict[Unread, list[str]]


def find(paths: Sequence[str | Path], *, now: datetime, hosts: Hosts) -> Found:
    """Files to load; those of a folder, and of folders in it, in the order of their paths.

    Args:
        now: the time of crashes on stdin that have none.
        hosts: for crashes that name no host.
    """
    finder = _Finder(now, hosts)
    for path in paths:
        try:
            finder.add(path)
        except UnreadableSource as error:
            finder.problems.append(str(error))
    return Found(_together(finder.found), finder.problems, finder.left_out, finder.unread)


class _Finder:
    """What has been found so far; see ``Found``."""

    def __init__(self, now: datetime, hosts: Hosts) -> None:
        self.found: list[Source | CrashFile] = []
        self.problems: list[str] = []
        self.left_out: list[str] = []
        self.unread: dict[Unread, list[str]] = {}
        self._now = now
        self._hosts = hosts

    def add(self, given: str | Path) -> None:
        """Add what is at a path.

        Raises:
            UnreadableSource: there is nothing that can be loaded.
        """
        path = Path(given)
        if not str(given):  # Path would take it for the working folder
            said = "A path to load is empty, as of a variable that is not set. Nothing of it was loaded."
            raise UnreadableSource(f"{said} Name a file or a folder; . is this one. {_wanted()}")
        try:
            if str(given) == STDIN:
                self.found.append(self._stdin())
            elif path.is_dir():
                self._add_folder(path)
            elif not path.exists():
                raise UnreadableSource(f"{path_text(path)} does not exist. Nothing of it was loaded. {_wanted()}")
            elif (file := self._file(path, None)) is not None:
                self.found.append(file)
            else:
                if (unread := self._known(path_text(path))) is not None:
                    raise UnreadableSource(
                        f"{path_text(path)} {unread.value}, and load that. Nothing of it was loaded."
                    )
                what = f"ends in {path_text(path.suffix)}" if path.suffix else "has no suffix"
                said = f"{path_text(path)} {what}, and its content is of no known format. Nothing of it was loaded."
                raise UnreadableSource(f"{said} {_wanted()}")
        except UnreadableSource:
            raise
        except DAMAGED as error:
            raise _unreadable(path, error) from error

    def _add_folder(self, folder: Path) -> None:
        if (folder / _TABLE).is_dir():
            said = f"The folder {path_text(folder)} is a Delta table, whose files may hold rows that it replaced since."
            wanted = "Write its rows to Parquet or NDJSON, and load those."
            raise UnreadableSource(f"{said} Nothing of it was loaded. {wanted}")
        found, left_out, problems = len(self.found), len(self.left_out), len(self.problems)
        problems_of_abrt: dict[Path, bool] = {}
        files, tables_of_others = _files_in(folder, lost=self._lost)
        self.left_out += map(path_text, tables_of_others)
        for path in files:
            is_of_problem = problems_of_abrt.get(path.parent)
            try:
                if is_of_problem is None:
                    is_of_problem = problems_of_abrt[path.parent] = self._add_problem(path.parent, folder)
                if is_of_problem:
                    continue
                file = self._file(path, folder)
            except DAMAGED as error:
                self.problems.append(str(_unreadable(path, error)))
                continue
            if file is None:
                self.left_out.append(path_text(path))
            else:
                self.found.append(file)
        if len(self.found) == found and len(self.problems) == problems:
            others = self.left_out[left_out:]
            del self.left_out[left_out:]
            what = f"{len(others)} files of no known format, among them {others[0]}" if others else "no file"
            said = f"The folder {path_text(folder)} holds nothing to load: {what}. Nothing was changed."
            raise UnreadableSource(f"{said} {_wanted()}")

    def _add_problem(self, folder: Path, within: Path) -> bool:
        """Add a folder if it is one problem of abrt, which is spread over its files. Returns whether it is one."""
        if not (folder / "reason").is_file():  # a quick check, as most folders are not
            return False
        from ingest.formats.abrt import ABRT, blocks_of_problem, is_problem

        try:
            if not is_problem(folder):
                return False
            about = (folder / "time").stat()
        except OSError:  # an error is reported for each file in it that cannot be read
            return False
        host = self._hosts.of(folder / "time", within)
        told = Told(self._changed(about.st_mtime), "log", host, path_text(folder.name))
        self.found.append(CrashFile(path_text(folder), about.st_size, ABRT, told, partial(blocks_of_problem, folder)))
        return True

    def _lost(self, error: OSError) -> None:
        """Record that a folder cannot be searched."""
        self.problems.append(str(_unreadable(Path(error.filename), error)))

    def _file(self, path: Path, within: Path | None) -> Source | CrashFile | None:
        """A file of a known format; None: of none. A file that can be read only once, such as a pipe, is opened once.

        Raises:
            EOFError, OSError, zlib.error, ZstdError: it cannot be read.
        """
        name, about, inner = path_text(path), path.stat(), path.name.lower()
        size_bytes = about.st_size if S_ISREG(about.st_mode) else None
        if inner.endswith(_PARQUET):
            return Source((name,), size_bytes, lambda: tables.batches(path, name))
        inner = next((inner.removesuffix(suffix) for suffix in PACKED if inner.endswith(suffix)), inner)
        if inner.endswith(_CSV) and not (size_bytes is not None and self._is_of_events(path)):
            kind = tables.named_kind(path)
            return _of_lines(name, size_bytes, lambda: csv_rows.batches(blocks_of(path), name, named=kind))
        data, opened = _beginning_of(path, is_read_once=size_bytes is None)
        format, read = format_of(Head(inner, data), opened)
        if format is None and size_bytes is not None and not inner.endswith(_NDJSON):
            format = format_within(data, read)
        if format is not None:
            told = Told(self._changed(about.st_mtime), "log", self._hosts.of(path, within), path_text(path.name))
            return CrashFile(name, size_bytes, format, told, read)
        if inner.endswith(_NDJSON):
            misread = misread_as(data)
            is_small = size_bytes is not None and size_bytes <= small_files.SMALL_BYTES
            return _of_lines(
                name,
                size_bytes,
                lambda: ndjson.batches(opened(), name),
                misread=misread,
                is_joined=is_small and misread is None,
            )
        if (unread := unread_as(data)) is not None:
            self.unread.setdefault(unread, []).append(name)
        return None

    def _known(self, name: str) -> Unread | None:
        """What a file is that was just found to be of no known format; it is told by itself then."""
        found = next((what for what, names in self.unread.items() if names[-1:] == [name]), None)
        if found is not None:
            self.unread[found].pop()
        return found

    def _is_of_events(self, path: Path) -> bool:
        """Whether a table is a list of events or crashes of Windows, with other columns than the contract's."""
        data, opened = _beginning_of(path, is_read_once=False)
        if any(name in data.split(b"\n", 1)[0] for name in KEYS):
            return False
        format, _ = format_of(Head("", data), opened)
        from ingest.formats.dump_viewers import DUMP_VIEWERS
        from ingest.formats.event_rows import EVENT_ROWS
        from ingest.formats.event_text import EVENT_TEXT

        return format in (EVENT_TEXT, EVENT_ROWS, DUMP_VIEWERS)

    def _changed(self, mtime: float) -> datetime:
        """When a file was last changed; now if its file system gives a future or invalid time."""
        try:
            return min(datetime.fromtimestamp(mtime, tz=UTC), self._now)
        except (OverflowError, ValueError):
            return self._now

    def _stdin(self) -> Source | CrashFile:
        data, blocks = begins(stdin(), HEAD_BYTES)
        format, read = format_of(Head("", data), lambda: blocks)
        if format is None and (unread := unread_as(data)) is not None:
            raise UnreadableSource(f"What is on stdin {unread.value}, and load that. Nothing of it was loaded.")
        if format is None:
            return _of_lines(STDIN, None, lambda: ndjson.batches(blocks, STDIN), misread=misread_as(data))
        return CrashFile(STDIN, None, format, Told(self._now, "received", self._hosts.host_id), read)


def _beginning_of(path: Path, *, is_read_once: bool) -> tuple[bytes, Callable[[], Blocks]]:
    """The beginning of a file, and a function that opens it from its start; found files are not kept open.

    Raises:
        EOFError, OSError, zlib.error, ZstdError: it cannot be read.
    """
    data, blocks = begins(blocks_of(path, HEAD_BYTES), HEAD_BYTES)
    is_zeroed = len(data) == HEAD_BYTES and not data.strip(b"\0")
    if is_zeroed:
        data, blocks = begins(behind_zeros(blocks), HEAD_BYTES)
    if is_read_once:
        return data, lambda: blocks
    return data, (lambda: behind_zeros(blocks_of(path))) if is_zeroed else partial(blocks_of, path)


def _files_in(folder: Path, *, lost: Callable[[OSError], None]) -> tuple[list[Path], list[Path]]:
    """The files in a folder and the folders in it, except hidden ones, truth files and lakes; and the Delta tables.

    The files of a table are not among them: it may have replaced some. Links to folders are not followed, as they may
    lead back.

    Args:
        lost: called for each folder that cannot be searched.
    """
    found: list[Path] = []
    tables_found: list[Path] = []
    for place, folders, files in os.walk(folder, onerror=lost):
        seen = [name for name in folders if not name.startswith(".")]
        here = {name for name in seen if _is(Path(place) / name / _TABLE, Path.is_dir, if_unknown=False)}
        if here >= _OF_A_LAKE:
            folders.clear()
            continue
        tables_found += [Path(place) / name for name in here]
        folders[:] = [name for name in seen if name not in here]
        found += [Path(place) / name for name in files if not name.startswith(".") and name != TRUTH]
    # A file that cannot be examined is reported when it is opened.
    return sorted(path for path in found if _is(path, Path.is_file, if_unknown=True)), sorted(tables_found)


def _is(path: Path, what: Callable[[Path], bool], *, if_unknown: bool) -> bool:
    try:
        return what(path)
    except OSError:
        return if_unknown


def _together(found: Sequence[Source | CrashFile]) -> list[Source]:
    """Sources; many small files become one, and so do all crash files, after the others.

    A batch for each would take most of the time.
    """
    sources: list[Source] = []
    for is_joined, run in groupby((one for one in found if isinstance(one, Source)), lambda one: one.is_joined):
        neighbours = list(run)
        is_one = is_joined and len(neighbours) >= small_files.MANY
        sources += [_of_small_files(neighbours)] if is_one else neighbours
    files = [one for one in found if isinstance(one, CrashFile)]
    return [*sources, _of_crash_files(files)] if files else sources


def _of_crash_files(files: Sequence[CrashFile]) -> Source:
    sizes = [file.size_bytes for file in files if file.size_bytes is not None]
    title = files[0].name if len(files) == 1 else f"{files[0].name} and {len(files) - 1} other crash files"
    return Source(
        tuple(file.name for file in files),
        sum(sizes) if len(sizes) == len(files) else None,
        lambda: crash_files.batches(files, title),
        is_of_crash_files=True,
    )


def _of_small_files(sources: Sequence[Source]) -> Source:
    files = [small_files.SmallFile(one.names[0], one.size_bytes or 0, one.batches) for one in sources]
    sizes = sum(file.size_bytes for file in files)
    return Source(tuple(file.name for file in files), sizes, lambda: small_files.batches(files))


def _of_lines(
    name: str,
    size_bytes: int | None,
    batches: Callable[[], Iterator[Arrival]],
    *,
    misread: Misread | None = None,
    is_joined: bool = False,
) -> Source:
    """A source of lines; if it is damaged, the lines before the damage are loaded."""

    def read() -> Iterator[Arrival]:
        try:
            yield from batches()
        except UnreadableSource:
            raise
        except DAMAGED as error:
            raise cut_short(name, error, "The whole lines before the damage are loaded.") from error

    return Source((name,), size_bytes, read, misread=misread, is_joined=is_joined)


def _unreadable(path: Path, error: Exception) -> UnreadableSource:
    why = getattr(error, "strerror", None) or one_line(error)
    return UnreadableSource(f"{path_text(path)} cannot be read: {why}. Nothing of it was loaded.")


def _wanted() -> str:
    return (
        f"Records in files ending in {', '.join((*_NDJSON, _CSV, _PARQUET))} are read (all but the last also with "
        f"{' or '.join(PACKED)}), crash files of systems and tools whatever they are called, and `-` for stdin."
    )
