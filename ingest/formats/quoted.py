"""Text that is not as it was written: with a mark before each of its lines, as in mails and issues, or encoded anew.

The mark is ``>``, perhaps many, or blanks. Windows' shells write what they are given in UTF-16, and editors a mark of
UTF-8.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable, Iterator

from ingest.formats.format import encoding_of
from ingest.formats.lines import lines_in, texts_in

_LONGEST_LINE = 1 << 20
_LEAST_QUOTES = 3
_LEAST_LINES = 2  # that begin with the same blanks
_MARK = re.compile(rb"[ \t]{0,40}(?:>[ \t]?){0,20}[ \t]{0,40}")
_QUOTE = b">"


def mark_of(start: bytes) -> bytes:
    """What stands before each line of a text that is not blank; empty where that is nothing.

    Args:
        start: of the text; its last line may be cut.
    """
    lines = [line for line in start.split(b"\n") if line.strip(b"> \t\r")]
    mark = min((found[0] for line in lines if (found := _MARK.match(line))), key=len, default=b"")
    if quotes := mark.rstrip():  # behind it a line is as it was, but for one blank
        mark = mark[: len(quotes) + 1]
    is_before_each = all(line.startswith(mark) for line in lines)
    return mark if is_before_each and (quotes or len(lines) >= _LEAST_LINES) else b""


def mark_of_some(start: bytes) -> bytes:
    """What stands before the lines that somebody quotes among others; empty where there are few.

    Args:
        start: of the text; its last line may be cut.
    """
    lines = [line for line in start.split(b"\n") if line.strip()]
    quotes = sum(line.startswith(_QUOTE) for line in lines)
    return b"> " if quotes >= _LEAST_QUOTES and quotes * 4 >= len(lines) else b""


def is_quote(mark: bytes) -> bool:
    """Whether a mark says that somebody quotes. No format has it before each line; blanks some have."""
    return _QUOTE in mark


def without(mark: bytes, blocks: Iterable[bytes]) -> Iterator[bytes]:
    """A text without its mark, by line."""
    bare = mark.rstrip()
    for line in lines_in(blocks, _LONGEST_LINE):
        yield (line[len(mark) :] if line.startswith(mark) else line.removeprefix(bare)) + b"\n"


def is_encoded(start: bytes) -> bool:
    """Whether a text is in UTF-16, or has UTF-8's mark."""
    return start.startswith(codecs.BOM_UTF8) or encoding_of(start) != "utf-8-sig"


def in_utf8(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """A text in UTF-8, without a mark."""
    yield from (text.encode() for text in texts_in(blocks))
