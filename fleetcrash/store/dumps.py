"""Raw dumps of crashes, kept beside the tables as they came, for people to look into, up to a number and a size.

A dump is ``_dumps/<name>.dmp``, with what is known about it in ``<name>.json``. Names are hashes, whatever a client
says. A dump may hold anything that was in a machine's memory; the oldest are deleted to make room, and forgetting a
host deletes all that name it.
"""

from __future__ import annotations

import hashlib
import json
import os
import threading
from collections import OrderedDict
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from fleetcrash.store.durable import sync_folder
from fleetcrash.store.log import Swept, delete
from fleetcrash.store.mentions import Mentions

FOLDER = "_dumps"
_DUMP, _ABOUT = ".dmp", ".json"
_HALF = "-"  # added to the suffix of a file that is not whole yet
_BLOCK_BYTES = 4096  # a file takes whole blocks on disk: a dump of 32 bytes, with its .json, takes two


@dataclass(frozen=True)
class Dump:
    """A dump that came in.

    Attributes:
        host_id: the host it is of; None where nobody said.
        crash_id: of the record that was made from it.
        data: the file.
        form: what the client said with it.
    """

    crash_id: str
    host_id: str | None
    data: bytes
    form: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def name(self) -> str:
        """Its name in the folder: the same for the same dump of the same host, and different for two hosts."""
        hashed = hashlib.sha256(json.dumps([self.crash_id, self.host_id]).encode())
        hashed.update(self.data)
        return hashed.hexdigest()


class Dumps:
    """The dumps of a lake. Any thread may keep one.

    Args:
        most_bytes: that all of them may take on disk; beyond it the oldest are deleted.
        most: number of dumps; likewise. `forget` reads each of them, and each is two files to copy with the lake.
    """

    def __init__(self, lake_root: Path, most_bytes: int, most: int) -> None:
        self._folder = lake_root / FOLDER
        self._most_bytes = most_bytes
        self._most = most
        self._lock = threading.Lock()
        self._sizes: OrderedDict[str, int] | None = None  # oldest first; read when the first dump comes
        self._total_bytes = 0  # of these; adding them up for each dump would take longer than writing it

    def keep(self, dump: Dump) -> None:
        """Write a dump to disk durably, and make room for it. One that exceeds the bound of all together is not kept.

        Raises:
            OSError: it cannot be written.
        """
        about = {"crash_id": dump.crash_id, "host_id": dump.host_id, "form": dict(dump.form)}
        described = json.dumps(about).encode()
        size_bytes = _on_disk(len(dump.data)) + _on_disk(len(described))
        if size_bytes > self._most_bytes:
            return
        with self._lock:
            self._folder.mkdir(mode=0o700, exist_ok=True)
            if self._sizes is None:
                self._sizes = _found(self._folder)
                self._total_bytes = sum(self._sizes.values())
            self._total_bytes -= self._sizes.pop(dump.name, 0)
            while self._sizes and (self._total_bytes + size_bytes > self._most_bytes or len(self._sizes) >= self._most):
                name, freed_bytes = self._sizes.popitem(last=False)
                self._total_bytes -= freed_bytes
                delete(_files(self._folder / name))
            self._sizes[dump.name] = size_bytes  # even where it cannot be written: part of it may be there
            self._total_bytes += size_bytes
            # The host first: a dump whose host nobody can tell would survive `forget`.
            _write(self._folder / f"{dump.name}{_ABOUT}", described)
            _write(self._folder / f"{dump.name}{_DUMP}", dump.data)


def forget(lake_root: Path, mentions: Mentions) -> Swept:
    """Delete the dumps that are of a host, or have its name anywhere in them."""
    swept = Swept()
    for path in sorted((lake_root / FOLDER).glob("*")):
        if mentions.in_file(path):
            swept += delete({path, *_files(path.with_suffix(""))})
    return swept


def _files(dump: Path) -> list[Path]:
    """Every file that a dump may have, by its path without suffix, including parts that a killed write left."""
    return [dump.with_suffix(f"{suffix}{half}") for suffix in (_DUMP, _ABOUT) for half in ("", _HALF)]


def _on_disk(size_bytes: int) -> int:
    """Bytes that a file of a size takes on disk; an empty one takes some for its name."""
    return max(-(-size_bytes // _BLOCK_BYTES), 1) * _BLOCK_BYTES


def _found(folder: Path) -> OrderedDict[str, int]:
    """Bytes on disk of each dump, oldest first."""
    sizes: dict[str, int] = {}
    ages: dict[str, int] = {}
    for path in folder.glob("*"):
        try:
            stat = path.stat()
        except FileNotFoundError:  # its host has just been forgotten
            continue
        sizes[path.stem] = sizes.get(path.stem, 0) + _on_disk(stat.st_size)
        ages[path.stem] = max(ages.get(path.stem, 0), stat.st_mtime_ns)
    return OrderedDict((name, sizes[name]) for name in sorted(sizes, key=ages.__getitem__))


def _write(path: Path, data: bytes) -> None:
    scratch = path.with_suffix(f"{path.suffix}{_HALF}")
    try:
        with scratch.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        scratch.replace(path)
    except OSError:
        with suppress(OSError):
            scratch.unlink()  # the disk may be full
        raise
    sync_folder(path.parent)
