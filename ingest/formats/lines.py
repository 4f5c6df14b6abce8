"""The lines of any stream, in bounded memory. If it breaks off, its last, unfinished line is left out.

What a system without power could not write to a log any more reads as zero bytes; a line ends there.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable, Iterator

from ingest.formats.format import BrokenOff, decoded, encoding_of

_LONGEST_MARK_BYTES = 3
_LEAST_ZEROS = 16  # fewer may be a number, or a mark between fields
_ZEROS_OF_TEXT = re.compile(rf"\0{{{_LEAST_ZEROS},}}")
ZEROS = re.compile(rf"\0{{{_LEAST_ZEROS},}}".encode())


def lines_in(blocks: Iterable[bytes], longest_bytes: int) -> Iterator[bytes]:
    """The lines of a stream, without newlines; a longer one is cut to ``longest_bytes`` + 1."""
    held = bytearray()
    try:
        for block in blocks:
            *whole, rest = (ZEROS.sub(b"\n", block) if b"\0" in block else block).split(b"\n")
            for piece in whole:
                held += piece[: longest_bytes + 1 - len(held)]
                yield bytes(held)
                held.clear()
            held += rest[: longest_bytes + 1 - len(held)]
    except BrokenOff:
        return
    if held:
        yield bytes(held)


def behind_zeros(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """A stream from its first byte on that is not zero: a log that was emptied while its writer kept its place."""
    rest = iter(blocks)
    for block in rest:
        if written := block.lstrip(b"\0"):
            yield written
            break
    yield from rest


def text_lines_in(blocks: Iterable[bytes], longest: int) -> Iterator[str]:
    """The lines of a text, see ``texts_in``.

    Args:
        longest: most characters of a line; the rest is left out.
    """
    rest = ""
    try:
        for part in texts_in(blocks):
            if "\0" in part:
                part = _ZEROS_OF_TEXT.sub("\n", part)
            *whole, rest = (rest + part).split("\n")
            rest = rest[:longest]
            for line in whole:
                yield line[:longest].rstrip("\r")
    except BrokenOff:
        return
    if rest:
        yield rest.rstrip("\r")


def texts_in(blocks: Iterable[bytes]) -> Iterator[str]:
    """The parts of a text, decoded by ``format.encoding_of``; invalid bytes are replaced."""
    decoder: codecs.IncrementalDecoder | None = None
    start = b""
    for block in blocks:
        start += block if decoder is None else b""
        if decoder is None and len(start) > _LONGEST_MARK_BYTES:
            decoder = codecs.getincrementaldecoder(encoding_of(start))("replace")
            block = start
        if decoder is not None:
            yield decoder.decode(block)
    yield decoder.decode(b"", True) if decoder else decoded(start)
