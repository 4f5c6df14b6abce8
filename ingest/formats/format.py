"""The definition of a crash file format: how a file is recognised, and how it is read."""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

import msgspec

from ingest.formats.crashes import Records, Told

HEAD_BYTES = 64 << 10
_LINES = 50  # searched for records of the contract
_TEXT_BYTES = 64  # without a zero byte in as many, a file is a text
# Comments, and elements with which people arrange text among what they write, are no page.
_IN_PROSE = r"!--|/?(?:details|summary|pre|code|p|br|b)\b"
# A brace before a name, or a text, and a comma, as in Erlang's terms, begins no JSON.
_MARKED_UP = re.compile(
    rf"\s*(?:\{{(?![a-z_]{{1,60}},|\"[^\"\n]{{1,60}}\",)|\[\s*\{{|<(?!{_IN_PROSE}|internal:)[?!A-Za-z])"
)
_BIG_ENDIAN = re.compile(rb"\0[\t\n\r -~]\0[\t\n\r -~]")  # other binary forms may begin with one zero byte
_CUT_RECORD = re.compile(rb'\s*\{\s{0,9}"record"\s{0,9}:')
_MOST_BYTES = 64 << 20  # of a document; parsing has its own bound, see Told


def is_marked_up(said: str) -> bool:
    """Whether a text is JSON or XML, which are formats of their own, whatever texts they contain."""
    return _MARKED_UP.match(said) is not None


class BrokenOff(Exception):
    """A file cannot be read any further; whoever opened it knows why."""


@dataclass(frozen=True)
class Head:
    """The beginning of a file or a stream, by which its format is recognised.

    Attributes:
        name: of the file, in lower case, without ``.gz`` or ``.zst``; empty for a stream.
        data: the first ``HEAD_BYTES``, or all if there are fewer.
    """

    name: str
    data: bytes

    @cached_property
    def text(self) -> str:
        """The data as text, see ``decoded``."""
        return decoded(self.data)

    @property
    def is_no_crash_file(self) -> bool:
        """Whether it is empty, or has a record of the contract in one of its first lines, as others may be broken.

        What is no text may have one in the memory of a process.
        """
        if b"\0" in self.data[:_TEXT_BYTES]:
            return False
        lines = self.data.removeprefix(codecs.BOM_UTF8).split(b"\n", _LINES)[:_LINES]
        return not self.data.strip() or any(map(_is_record, lines))


@dataclass(frozen=True)
class Format:
    """A format of crash files.

    Attributes:
        title: its name for people.
        recognises: whether a file with this beginning has the format. Not by the name alone if the content shows it. It
            is called for files of all kinds, and must reject the contract's own records.
    """

    title: str
    recognises: Callable[[Head], bool]


@dataclass(frozen=True)
class Document(Format):
    """A format that is read as a whole.

    Attributes:
        read: the crashes of a document. Raises Unfit for one that is not of the format, or too damaged to have a crash;
            if it is damaged and has some, the damage is in the records.
        most_bytes: of a document. If ``is_cut``, the rest is ignored; else a larger one is refused.
    """

    read: Callable[[bytes, Told], Records]
    most_bytes: int = _MOST_BYTES
    is_cut: bool = False


@dataclass(frozen=True)
class Log(Format):
    """A format of any length, read in bounded memory.

    Attributes:
        read: the crashes, as they come. Raises Unfit at damage, and BrokenOff if its blocks do, after the intact
            crashes before.
    """

    read: Callable[[Iterator[bytes], Told], Iterator[Records]]


def _is_record(line: bytes) -> bool:
    if not line.lstrip().startswith(b"{"):
        return False
    if _CUT_RECORD.match(line):  # perhaps longer than the head
        return True
    try:
        return "record" in msgspec.json.decode(line, type=dict[str, msgspec.Raw])
    except (ValueError, RecursionError):
        return False


def encoding_of(start: bytes) -> str:
    """UTF-16 if a text begins with its mark, or looks like UTF-16 without one; else UTF-8."""
    if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    if start[:1] != b"\0" and start[1:2] == b"\0":
        return "utf-16-le"
    return "utf-16-be" if _BIG_ENDIAN.match(start) else "utf-8-sig"


def decoded(data: bytes) -> str:
    """Decoded text, see ``encoding_of``; invalid bytes are replaced."""
    return data.decode(encoding_of(data), "replace")


def until_broken(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """The blocks of a file, to its end or to where it breaks off."""
    try:
        yield from blocks
    except BrokenOff:
        return
