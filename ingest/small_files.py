"""Small files of lines, many to a batch: a commit for each would take most of the time, and leave many files."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from fleetcrash.errors import UnreadableSource
from ingest.arrival import Arrival
from ingest.crash_files import Unreadable
from ingest.joined import Joined
from ingest.ndjson import Lines

# A larger file, by its size on disk, is worth a batch of its own.
SMALL_BYTES = 64 << 10

# With fewer files each has its own batch, so that its records are recognised wherever else the file is loaded.
MANY = 16

_MOST_FILES = 1000
_MOST_BYTES = 32 << 20  # of lines; a packed file may hold a thousand times its size


@dataclass(frozen=True)
class SmallFile:
    """A file of NDJSON.

    Attributes:
        name: of its source.
        size_bytes: on disk.
        batches: reads it; raises UnreadableSource if it cannot be read, after the batches before.
    """

    name: str
    size_bytes: int
    batches: Callable[[], Iterator[Arrival]]


def batches(files: Sequence[SmallFile]) -> Iterator[Arrival]:
    """Read files and combine their lines into batches.

    A batch is named by the content of its files: the same files make the same batches, also if others follow.

    Raises:
        Unreadable: some cannot be read, or not to the end. The others have been yielded.
    """
    held = _Held()
    problems: list[str] = []
    for file in files:
        try:
            for place, lines in enumerate(file.batches()):
                if place or not isinstance(lines, Lines):  # it has grown since it was found
                    yield from held.let_go()
                    yield lines
                else:
                    held.add(file, lines)
        except UnreadableSource as error:
            problems.append(str(error))
        if held.is_full:
            yield from held.let_go()
    yield from held.let_go()
    if problems:
        raise Unreadable(problems)


class _Held:
    """Lines of files that were read and are in no batch yet."""

    def __init__(self) -> None:
        self._parts: list[tuple[SmallFile, Lines]] = []
        self._held_bytes = 0

    @property
    def is_full(self) -> bool:
        return len(self._parts) >= _MOST_FILES or self._held_bytes >= _MOST_BYTES

    def add(self, file: SmallFile, lines: Lines) -> None:
        """Add the lines of a file."""
        self._parts.append((file, lines))
        self._held_bytes += lines.size_bytes

    def let_go(self) -> Iterator[Joined]:
        """The lines as a batch; none if there are none."""
        if not self._parts:
            return
        digest = hashlib.sha256(b"small files\n")
        for _, lines in self._parts:
            digest.update(lines.batch_id.encode())
        first, others = self._parts[0][0].name, len(self._parts) - 1
        yield Joined.of(
            [(file.name, lines.data) for file, lines in self._parts],
            batch_id=digest.hexdigest(),
            source=f"{first} and {others} other files" if others else first,
            size_bytes=sum(file.size_bytes for file, _ in self._parts),
        )
        self._parts, self._held_bytes = [], 0
