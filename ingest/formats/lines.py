"""The lines of a stream, in bounded memory, whatever it is. Where it breaks off, the line before that is left out."""

from __future__ import annotations

import codecs
from collections.abc import Iterable, Iterator

from ingest.formats.format import BrokenOff, decoded, encoding_of

_LONGEST_MARK_BYTES = 3


def lines_in(blocks: Iterable[bytes], longest_bytes: int) -> Iterator[bytes]:
    """The lines of a stream, without their ends; of a longer one its beginning, ``longest_bytes`` + 1 of it."""
    held = bytearray()
    try:
        for block in blocks:
            *whole, rest = block.split(b"\n")
            for piece in whole:
                held += piece[: longest_bytes + 1 - len(held)]
                yield bytes(held)
                held.clear()
            held += rest[: longest_bytes + 1 - len(held)]
    except BrokenOff:
        return
    if held:
        yield bytes(held)


def text_lines_in(blocks: Iterable[bytes], longest: int) -> Iterator[str]:
    """The lines of a text, see ``texts_in``.

    Args:
        longest: characters of a line; the rest of it is left out.
    """
    rest = ""
    try:
        for part in texts_in(blocks):
            *whole, rest = (rest + part).split("\n")
            rest = rest[:longest]
            for line in whole:
                yield line[:longest].rstrip("\r")
    except BrokenOff:
        return
    if rest:
        yield rest.rstrip("\r")


def texts_in(blocks: Iterable[bytes]) -> Iterator[str]:
    """The parts of a text, see ``format.encoding_of``; what is none is replaced."""
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
