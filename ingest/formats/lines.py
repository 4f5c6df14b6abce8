"""The lines of a stream, in bounded memory, whatever it is. Where it breaks off, the line before that is left out."""

from __future__ import annotations

import codecs
from collections.abc import Iterable, Iterator

from ingest.formats.format import BrokenOff


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
    """The lines of a text: of UTF-16 where it begins with its mark, else of UTF-8; what is neither is replaced.

    Args:
        longest: characters of a line; the rest of it is left out.
    """
    decoder, rest = None, ""
    try:
        for block in blocks:
            if decoder is None:
                is_wide = block.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
                decoder = codecs.getincrementaldecoder("utf-16" if is_wide else "utf-8-sig")("replace")
            *whole, rest = (rest + decoder.decode(block)).split("\n")
            rest = rest[:longest]
            for line in whole:
                yield line[:longest].rstrip("\r")
    except BrokenOff:
        return
    if rest:
        yield rest.rstrip("\r")
