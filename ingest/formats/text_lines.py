"""The lines of a text that comes in blocks, in bounded memory, whatever it is."""

from __future__ import annotations

import codecs
from collections.abc import Iterator


def lines_of(blocks: Iterator[bytes], longest: int) -> Iterator[str]:
    """The lines, without what ends them; of UTF-16 where the text begins with its mark, else of UTF-8.

    Args:
        longest: characters of a line; the rest of it is left out.
    """
    decoder, rest = None, ""
    for block in blocks:
        if decoder is None:
            is_wide = block.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
            decoder = codecs.getincrementaldecoder("utf-16" if is_wide else "utf-8-sig")("replace")
        *whole, rest = (rest + decoder.decode(block)).split("\n")
        rest = rest[:longest]
        for line in whole:
            yield line[:longest].rstrip("\r")
    if rest:
        yield rest.rstrip("\r")
