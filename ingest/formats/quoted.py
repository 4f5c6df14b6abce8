"""Text that was changed after it was written: with a mark before each line, as in mails and issues, or re-encoded.

The mark is ``>``, perhaps repeated, or blanks; fuzzers of compilers write what happened as comments of a program,
and pages of fuzzers have ``|`` before their lines.
A command stands before the JSON that it printed. Terminals colour what they show, logs of builds have a time before
each line, and copies from a page a blank line behind each, or ``>`` before the first line of a paragraph alone. Where
ends of lines were lost, each message of a kernel still has its time.
Pages write ``&lt;`` for ``<``.
What was not written any more as a system lost its power is zero bytes.
Windows' shells write UTF-16, and editors add a byte order mark to UTF-8; mails as they were sent have ``=3D`` for
``=``, and ``=`` where a line goes on.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable, Iterator
from itertools import chain, islice, pairwise
from quopri import decodestring

from ingest.formats.format import encoding_of
from ingest.formats.lines import ZEROS, lines_in, texts_in

_LONGEST_LINE = 1 << 20
_LEAST_QUOTES = 3
_LEAST_LINES = 2  # with the same leading blanks
_LEAST_CUTS = 3
_CUT = re.compile(rb"^[^\n]{0,75}[^\n=]=\r?$", re.MULTILINE)
_LONGEST_SENT = 76  # characters of a line in a mail
_MARK = re.compile(rb"[ \t]{0,40}(?:>[ \t]?){0,20}[ \t]{0,40}")
_COMMAND = re.compile(rb"(?:(?![\[{])[^\n]{0,1000}\n){1,8}(?=(?:\[\s{0,99})?\{\s{0,99}\")")
_OF_BINARY = re.compile(rb"[\0-\x08\x0e-\x1a]")
_COLOUR = re.compile(rb"\x1b(?:\[[0-9;?]{0,30}[A-Za-z]|\(B)")
_STAMPED_AMONG = 200  # lines, that are looked at
_LEAST_STAMPED = 3
_STAMP = re.compile(  # also a container's name, and that of a job and its step
    rb"\[pod/[\w.-]{1,253}/[\w.-]{1,253}\] ?"
    rb"|[^\t\n]{1,200}\t[^\t\n]{1,200}\t\xef?\xbb?\xbf?\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{7}Z(?: |$)|"
    rb"\[?\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d{1,9})?(?:Z|[+-]\d\d:?\d\d)\]?(?:[ \t]|$)"
    rb"|\d\d(?:-[A-Z][a-z]{2}-|/\d\d/)\d{4} \d\d:\d\d:\d\d(?: \| |[ \t]|$)"
    rb"|\d\d:\d\d:\d\d(?:[.,]\d{1,6})?(?:  |$)|[\w.-]{1,100} {1,30}\|(?: |$)"
)
_OF_SYSTEM = re.compile(
    rb"\bkernel: |[\w)-]\[\d{1,10}\]: |\[ {0,8}\d{1,10}\.\d{3,6}(?:@\d{1,4})?\]"
    rb"|^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d,\d{6}[+-]\d\d:\d\d ",  # as dmesg writes it
    re.MULTILINE,
)
_CLOCK = re.compile(rb"\[ {0,5}\d{1,7}\.\d{6}\] ")  # of a kernel
_BREAK = rb"\n"  # as JSON and others write it
_LEAST_SPACED = 6
_ENTITY = re.compile(rb"&(?:lt|gt|quot|amp|nbsp|#39|#x27);")
_ENTITIES = {b"&lt;": b"<", b"&gt;": b">", b"&quot;": b'"', b"&amp;": b"&", b"&nbsp;": b" "}  # others are of quotes
# Text that is marked up, whatever it has.
_TAG = re.compile(
    rb"&lt;[?!/]?(?:Event|xml)\b|<(?!/?(?:details|summary|pre|code|p|br|b)\b)[A-Za-z/!?]"
    rb"|\A\s{0,99}(?:\{|<(?!/?(?:details|summary|pre|code|p|br|b)\b)|\[\s{0,9}[{\[\"])"
)
_BRACKETS = (b"&lt;", b"&gt;")
_FIXED_BLANK = "\u00a0".encode()  # with which pages keep blanks; French has one before a colon
_FIXED = re.compile(rb"(?:^|[ \t])\xc2\xa0|\xc2\xa0(?:[ \t]|\xc2\xa0)", re.MULTILINE)
_LEAST_FIXED = 3
_TOGETHER = re.compile(rb"^[^\S\n]*+\S[^\n]*+\n[^\S\n]*+\S", re.MULTILINE)
_LAZY = re.compile(rb"^> ?\S[^\n]*\n(?=[ \t]{0,200}[^\s>])", re.MULTILINE)
_QUOTE = b">"
_OTHERS = (b"// ", b" | ")


def mark_of(start: bytes) -> bytes:
    """The common prefix of all non-blank lines of a text; may be empty.

    Args:
        start: of the text; its last line may be cut.
    """
    lines = [line for line in start.split(b"\n") if line.strip(b"> \t\r")]
    mark = min((found[0] for line in lines if (found := _MARK.match(line))), key=len, default=b"")
    if quotes := mark.rstrip():  # followed by the original line after at most one blank
        mark = mark[: len(quotes) + 1]
    is_before_each = all(line.startswith(mark) for line in lines)
    return mark if is_before_each and (quotes or len(lines) >= _LEAST_LINES) else b""


def mark_of_some(start: bytes) -> bytes:
    """The prefix of lines that are quoted among others; empty if there are few.

    Args:
        start: of the text; its last line may be cut.
    """
    lines = [line for line in start.split(b"\n") if line.strip()]
    quotes = [line for line in lines if line.lstrip(b" ").startswith(_QUOTE)]
    if len(quotes) < _LEAST_QUOTES or len(quotes) * 4 < len(lines):
        counts = {mark: sum(line.startswith(mark.rstrip()) for line in lines) for mark in _OTHERS}
        return next((mark for mark, n in counts.items() if n >= _LEAST_QUOTES and n * 4 >= len(lines)), b"")
    return b"> " if any(line.startswith(_QUOTE) for line in quotes) else b" > "


def is_quote(mark: bytes) -> bool:
    """Whether a mark is one of quoting, which no format has before each line; some formats have blanks."""
    return _QUOTE in mark


def without(mark: bytes, blocks: Iterable[bytes]) -> Iterator[bytes]:
    """The lines of a text without the mark."""
    bare = mark.rstrip()
    for line in lines_in(blocks, _LONGEST_LINE):
        yield (line[len(mark) :] if line.startswith(mark) else line.removeprefix(bare)) + b"\n"


def is_zeroed(start: bytes) -> bool:
    """Whether a text has zero bytes where a system without power could not write it any more."""
    if b"\0" not in start or is_encoded(start):
        return False
    said = ZEROS.sub(b"\n", start)
    return said != start and bool(said.strip()) and _OF_BINARY.search(said) is None


def unzeroed(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """A text whose lines end where such bytes begin."""
    return (line + b"\n" for line in lines_in(blocks, _LONGEST_LINE))


def is_coloured(start: bytes) -> bool:
    """Whether a text has the colours of a terminal."""
    return b"\0" not in start and _COLOUR.search(start) is not None


def uncoloured(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """A text without colours."""
    return (_COLOUR.sub(b"", line) + b"\n" for line in lines_in(blocks, _LONGEST_LINE))


def is_escaped(start: bytes) -> bool:
    """Whether a text was taken from a page's source."""
    return any(one in start for one in _BRACKETS) and b"\0" not in start and _TAG.search(start) is None


def unescaped(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """A text without a page's names of characters."""
    for line in lines_in(blocks, _LONGEST_LINE):
        yield _ENTITY.sub(lambda found: _ENTITIES.get(found[0], b"'"), line) + b"\n"


def is_fixed(start: bytes) -> bool:
    """Whether a page put its own blanks where several stand together."""
    return b"\0" not in start and sum(1 for _ in islice(_FIXED.finditer(start), _LEAST_FIXED)) == _LEAST_FIXED


def unfixed(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """A text with plain blanks."""
    return (line.replace(_FIXED_BLANK, b" ") + b"\n" for line in lines_in(blocks, _LONGEST_LINE))


def is_spaced(start: bytes) -> bool:
    """Whether each line of a text has a blank line behind it, so that no two stand together."""
    if b"\0" in start or _TOGETHER.search(start):
        return False
    return sum(bool(line.strip()) for line in start.split(b"\n")) >= _LEAST_SPACED


def unspaced(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """A text without the blank line behind each of its lines."""
    is_behind = False
    for line in lines_in(blocks, _LONGEST_LINE):
        is_left_out = is_behind and not line.strip()
        if not is_left_out:
            yield line + b"\n"
        is_behind = not is_left_out


def is_stamped(start: bytes) -> bool:
    """Whether a log wrote the time, or its container's name, before the lines of a text."""
    lines = [line for line in start.split(b"\n", _STAMPED_AMONG)[:-1] if line.strip()]
    stamped = sum(_STAMP.match(line.rstrip(b"\r")) is not None for line in lines)
    return stamped >= _LEAST_STAMPED and stamped * 2 >= len(lines)


def is_of_system(start: bytes) -> bool:
    """Whether a log is a system's, which says who wrote its lines, or of a kernel with its own times."""
    return _OF_SYSTEM.search(start) is not None


def unstamped(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """A text without what a log wrote before its lines."""
    for line in lines_in(blocks, _LONGEST_LINE):
        found = _STAMP.match(line)
        yield (line[found.end() :] if found else line) + b"\n"


def is_joined(start: bytes) -> bool:
    """Whether messages of a kernel stand behind others on a line, where a page or a program lost the ends of lines.

    Few do where processors write at once.
    """
    if b"\0" in start:
        return False
    clocks = [count for line in start.split(b"\n") if (count := sum(1 for _ in _CLOCK.finditer(line)))]
    return max(clocks, default=0) > 2 and sum(clocks) * 2 >= len(clocks) * 3


def parted(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """A text with a message of a kernel on each line."""
    for line in lines_in(blocks, _LONGEST_LINE):
        starts = [found.start() for found in _CLOCK.finditer(line)]
        for start, end in pairwise([0, *starts[1:], len(line)]):
            yield line[start:end].rstrip().removesuffix(_BREAK) + b"\n"


def is_lazily_quoted(start: bytes) -> bool:
    """Whether only the first line of a paragraph is quoted, as pages allow it."""
    return _LAZY.search(start) is not None


def unquoted(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """A text without the marks of quoting where a line has one."""
    for line in lines_in(blocks, _LONGEST_LINE):
        yield (line.removeprefix(_QUOTE).removeprefix(b" ") if line.startswith(_QUOTE) else line) + b"\n"


def command_bytes(start: bytes) -> int:
    """How much of a text is a command, and a few lines more, before the JSON that it printed; 0 if there is none."""
    found = _COMMAND.match(start)
    return found.end() if found else 0


def behind(skipped_bytes: int, blocks: Iterable[bytes]) -> Iterator[bytes]:
    """A text without its first bytes."""
    left = skipped_bytes
    for block in blocks:
        yield block[left:]
        left = max(left - len(block), 0)


def is_encoded(start: bytes) -> bool:
    """Whether a text is in UTF-16, has a byte order mark of UTF-8, or is a mail as it was sent."""
    return start.startswith(codecs.BOM_UTF8) or encoding_of(start) != "utf-8-sig" or _is_sent(start)


def in_utf8(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """A text in UTF-8, without a byte order mark."""
    rest = iter(blocks)
    start = next(rest, b"")
    if _is_sent(start):
        yield from _received(chain([start], rest))
    else:
        yield from (text.encode() for text in texts_in(chain([start], rest)))


def _is_sent(start: bytes) -> bool:
    """Whether lines are cut as mails are, of which most are as long as they may be."""
    cuts = [len(found[0].rstrip()) for found in _CUT.finditer(start)]
    return len(cuts) >= _LEAST_CUTS and sum(cut >= _LONGEST_SENT - 3 for cut in cuts) * 2 > len(cuts)


def _received(blocks: Iterable[bytes]) -> Iterator[bytes]:
    held = bytearray()
    for line in lines_in(blocks, _LONGEST_LINE):
        held += line.rstrip(b"\r") + b"\n"
        if not held.endswith(b"=\n") or len(held) > _LONGEST_LINE:
            yield decodestring(bytes(held))
            held.clear()
    yield decodestring(bytes(held))
