"""What a format of crash files is: how a file is known to be of it, and what reads it."""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

import msgspec

from ingest.formats.crashes import Records, Told

HEAD_BYTES = 64 << 10
_LINES = 50  # that are looked at for the contract's records
_CUT_RECORD = re.compile(rb'\s*\{\s{0,9}"record"\s{0,9}:')
_MOST_BYTES = 64 << 20  # of a document; what is parsed of one has its own bound, see Told


class BrokenOff(Exception):
    """A file cannot be read any further; why, who opened it knows."""


@dataclass(frozen=True)
class Head:
    """The beginning of a file or a stream, by which its format is told.

    Attributes:
        name: the file's, in lower case, without ``.gz`` or ``.zst``; empty for a stream.
        data: the first ``HEAD_BYTES``, or all where it has fewer.
    """

    name: str
    data: bytes

    @cached_property
    def text(self) -> str:
        """The data as text, see ``decoded``."""
        return decoded(self.data)

    @property
    def is_no_crash_file(self) -> bool:
        """Whether there is nothing, or a record of the contract among the first lines: any of them may be broken."""
        lines = self.data.removeprefix(codecs.BOM_UTF8).split(b"\n", _LINES)[:_LINES]
        return not self.data.strip() or any(map(_is_record, lines))


@dataclass(frozen=True)
class Format:
    """A format of crash files.

    Attributes:
        title: what people call it.
        recognises: whether a file that begins so is of it. Never by the name alone where the content tells; it is asked
            of files of all kinds, and must say no to the contract's own records.
    """

    title: str
    recognises: Callable[[Head], bool]


@dataclass(frozen=True)
class Document(Format):
    """A format that is read as a whole.

    Attributes:
        read: the crashes of a document. Raises Unfit for one that is not of the format, or too damaged to tell a crash;
            of one that is damaged but tells some, the records have the damage.
        most_bytes: of a document. What is behind them is not looked at where ``is_cut``; else a larger one is refused.
    """

    read: Callable[[bytes, Told], Records]
    most_bytes: int = _MOST_BYTES
    is_cut: bool = False


@dataclass(frozen=True)
class Log(Format):
    """A format that goes on and on; read in bounded memory, however long it is.

    Attributes:
        read: the crashes, as they come. Raises Unfit where it is damaged, after what came whole before. Its blocks
            may raise BrokenOff, and it may too, after what came whole before.
    """

    read: Callable[[Iterator[bytes], Told], Iterator[Records]]


def _is_record(line: bytes) -> bool:
    if not line.lstrip().startswith(b"{"):
        return False
    if _CUT_RECORD.match(line):  # longer than what is looked at, perhaps
        return True
    try:
        return "record" in msgspec.json.decode(line, type=dict[str, msgspec.Raw])
    except (ValueError, RecursionError):
        return False


def encoding_of(start: bytes) -> str:
    """UTF-16 where a text begins with its mark, or as Windows writes it without one; else UTF-8."""
    if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    return "utf-16-le" if start[:1] != b"\0" and start[1:2] == b"\0" else "utf-8-sig"


def decoded(data: bytes) -> str:
    """A text, see ``encoding_of``; what is none is replaced."""
    return data.decode(encoding_of(data), "replace")


def until_broken(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """The blocks of a file, to its end or to where it breaks off."""
    try:
        yield from blocks
    except BrokenOff:
        return
