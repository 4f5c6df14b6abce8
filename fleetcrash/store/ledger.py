"""Ledgers: books beside the tables in which people's decisions are kept, one JSON object a line.

Lines are added and never changed, except that a forgotten host's name is struck out of what people wrote in them.
Adding and striking out wait for each other.
"""

from __future__ import annotations

import fcntl
import json
import os
import stat
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

from fleetcrash.errors import LakeError, one_line
from fleetcrash.store.durable import sync_folder
from fleetcrash.store.mentions import Mentions
from fleetcrash.store.ownership import give

_Entry = TypeVar("_Entry")


def add(path: Path, entry: Mapping[str, Any], *, mode: int = 0o777) -> None:
    """Add a line, which is on disk durably once this returns. If it cannot be written whole, nothing of it stays.

    Args:
        path: of the ledger, in a folder of the lake that is made if it is missing.
        mode: of that folder.
    Raises:
        OSError: it cannot be written.
    """
    folder = path.parent
    if not folder.exists():
        folder.mkdir(mode, exist_ok=True)
        give(folder, like=folder.parent)
    with _held(path, os.O_CREAT | os.O_RDWR | os.O_APPEND) as ledger:
        end = os.fstat(ledger).st_size
        # A power cut may have left half a line. It stays as it is, for somebody to mend; what is added now is whole.
        is_torn = end > 0 and os.pread(ledger, 1, end - 1) != b"\n"
        try:
            _write(ledger, b"\n" * is_torn + _line(entry))
        except OSError:
            os.ftruncate(ledger, end)  # half of it may be there, if the disk is full
            raise
        if not end:
            give(ledger, like=folder)
            sync_folder(folder)


def lines(path: Path) -> list[str]:
    """The lines, oldest first; an empty list where there is no ledger.

    Raises:
        OSError, UnicodeDecodeError: it cannot be read.
    """
    try:
        text = path.read_bytes().decode()
    except FileNotFoundError:
        return []
    return text.removesuffix("\n").split("\n") if text else []  # splitlines would also end a line within a text


def entries(path: Path, make: Callable[[Any], _Entry], *, called: str, then: str = "") -> list[_Entry]:
    """What the lines say, oldest first.

    Args:
        make: makes an entry of the parsed JSON of a line; raises ValueError, KeyError or TypeError if it is none.
        called: what a line should be, such as an override.
        then: what that means for the caller's command, in a sentence.
    Raises:
        LakeError: the ledger cannot be read, or a line of it is no entry: an audit skips nothing.
    """
    said = f" {then}" if then else ""
    try:
        told = lines(path)
    except (OSError, UnicodeDecodeError) as error:
        raise LakeError(f"{path} cannot be read: {one_line(error)}.{said}") from error
    found = []
    for number, line in enumerate(told, 1):
        try:
            found.append(make(json.loads(line)))
        except (ValueError, KeyError, TypeError) as error:
            raise LakeError(
                f"Line {number} of {path} is no {called} ({one_line(error)}).{said} "
                "Restore the file from a backup, or mend the line by hand."
            ) from error
    return found


def strike(path: Path, mentions: Mentions, fields: Collection[str]) -> int:
    """Strike a name out of some fields of all entries; other fields, and lines that are no entries, stay as they are.

    The ledger is written anew beside the old one and replaces it in one step, so that a kill leaves one of the two.

    Returns:
        how many entries were changed.
    Raises:
        LakeError: the ledger cannot be read or written.
    """
    try:
        with suppress(FileNotFoundError), _held(path, os.O_RDONLY):
            old = path.read_bytes().splitlines(keepends=True)
            new = [_struck(line, mentions, fields) for line in old]
            changed = sum(one != other for one, other in zip(old, new, strict=True))
            if changed:
                _replace(path, b"".join(new))
            return changed
    except OSError as error:
        raise LakeError(f"{path} cannot be written, and may name the host: {one_line(error)}.") from error
    return 0


@contextmanager
def _held(path: Path, flags: int) -> Iterator[int]:
    """A locked descriptor of the ledger, so that nobody else changes or replaces it."""
    while True:
        ledger = os.open(path, flags, 0o666)
        try:
            fcntl.flock(ledger, fcntl.LOCK_EX)
            if _is_still_at(ledger, path):  # it may have been replaced while we waited
                yield ledger
                return
        finally:
            os.close(ledger)


def _is_still_at(ledger: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(ledger), path.stat())
    except FileNotFoundError:
        return False


def _struck(line: bytes, mentions: Mentions, fields: Collection[str]) -> bytes:
    if not mentions.in_bytes(line):
        return line
    try:
        entry = json.loads(line)
    except ValueError:
        return line
    if not isinstance(entry, dict):
        return line
    texts = {name: mentions.struck(entry[name]) for name in fields if isinstance(entry.get(name), str)}
    struck = {**entry, **texts}
    return line if struck == entry else _line(struck)


def _line(entry: Mapping[str, Any]) -> bytes:
    return json.dumps(entry, ensure_ascii=False).encode() + b"\n"


def _replace(path: Path, data: bytes) -> None:
    """Replace a file by another with the same owner and mode."""
    scratch = path.with_name(f"{path.name}-")  # only the holder of the lock uses this name
    file = os.open(scratch, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600)
    try:
        os.fchmod(file, stat.S_IMODE(path.stat().st_mode))
        give(file, like=path)
        _write(file, data)
    finally:
        os.close(file)
    scratch.replace(path)
    sync_folder(path.parent)


def _write(file: int, data: bytes) -> None:
    left = memoryview(data)
    while left:
        left = left[os.write(file, left) :]
    os.fsync(file)
