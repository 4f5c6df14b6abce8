"""The format of a file by its beginning, whatever was done to its text since it was written."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from ingest.formats.format import HEAD_BYTES, BrokenOff, Document, Head, Log
from ingest.opening import Blocks

_MOST_MARKS = 4  # prefixes before each line, nested

Opened = Callable[[], Blocks]


@dataclass(frozen=True)
class _Text:
    """A text as it came, or without something that was done to it.

    Attributes:
        start: its beginning, by which its format is recognised.
        open: opens the whole of it.
    """

    start: bytes
    open: Opened

    def changed(self, change: Callable[[Blocks], Blocks]) -> _Text:
        """The same text with a change."""
        return _Text(b"".join(change(iter([self.start]))), lambda: _joined(change(self.open())))


def format_of(head: Head, opened: Opened) -> tuple[Document | Log | None, Opened]:
    """The format of a file by its beginning, and a function that opens it, as UTF-8 without prefixes before its lines.

    A text is recognised better without prefixes: with blanks before each line it may look like another format.
    """
    if head.is_no_crash_file:
        return None, opened
    # Imported only here: it takes 0.1 s, which loads of records should not wait for.
    from ingest.formats import quoted
    from ingest.formats.kernel_file import KERNEL_FILE
    from ingest.formats.known import binary_format_of
    from ingest.formats.known import format_of as known_format_of
    from ingest.formats.tombstone import TOMBSTONE

    if (binary := binary_format_of(head)) is not None:
        return binary, opened

    def known(text: _Text) -> Document | Log | None:
        return known_format_of(Head(head.name, text.start))

    texts = _peeled(_plain(_Text(head.data, opened)))
    bare = texts[-1]
    command_bytes = quoted.command_bytes(bare.start)
    printed = bare.changed(partial(quoted.behind, command_bytes)) if command_bytes else None
    found, text = None, bare
    for one in (*reversed(texts), *([printed] if printed else [])):
        if not quoted.is_quote(quoted.mark_of(one.start)) and (format := known(one)) is not None:
            found, text = format, one
            break
    if found not in (None, KERNEL_FILE, TOMBSTONE):
        return found, text.open
    # What a command says before the JSON that it prints may look like a log.
    if printed and found is KERNEL_FILE and (format := known(printed)) not in (None, KERNEL_FILE):
        return format, printed.open
    if found is not TOMBSTONE and quoted.is_joined(bare.start):
        parted = bare.changed(quoted.parted)
        if known(parted) is KERNEL_FILE:
            return KERNEL_FILE, parted.open
    # What a log or a page put before some lines; a log's stamps tell the time, and may be those of a kernel's log.
    for is_so, change in ((quoted.is_stamped, quoted.unstamped), (quoted.is_lazily_quoted, quoted.unquoted)):
        if is_so(bare.start):
            changed = bare.changed(change)
            format = known(changed)
            if format is not None and (format is not KERNEL_FILE or not quoted.is_of_system(bare.start)):
                return format, changed.open
    return found, text.open


def format_within(start: bytes, opened: Opened) -> Document | Log | None:
    """The format of a report far from the start of a text, such as in a long log of a program."""
    if len(start) < HEAD_BYTES:
        return None
    from ingest.formats import quoted
    from ingest.formats.known import format_within as known_format_within

    is_text = b"\0" not in start or quoted.is_encoded(start) or quoted.is_zeroed(start)
    return known_format_within(opened()) if is_text else None


def _plain(text: _Text) -> _Text:
    """A text in UTF-8 without zero bytes, colours, a page's blanks and names, and a blank line behind each."""
    from ingest.formats import quoted

    for is_so, change in (
        (quoted.is_encoded, quoted.in_utf8),
        (quoted.is_zeroed, quoted.unzeroed),
        (quoted.is_coloured, quoted.uncoloured),
        (quoted.is_fixed, quoted.unfixed),
        (quoted.is_escaped, quoted.unescaped),
        (quoted.is_spaced, quoted.unspaced),
    ):
        if is_so(text.start):
            text = text.changed(change)
    return text


def _peeled(text: _Text) -> list[_Text]:
    """A text, and the same without the prefix of its lines, and of those, as long as there is one."""
    from ingest.formats import quoted

    texts = [text]
    while len(texts) < _MOST_MARKS and (mark := quoted.mark_of(text.start) or quoted.mark_of_some(text.start)):
        text = text.changed(partial(quoted.without, mark))
        texts.append(text)
    return texts


def _joined(blocks: Blocks) -> Blocks:
    """The lines of a changed text in blocks, as what searches a long text looks at the end of the last with each."""
    held = bytearray()
    try:
        for block in blocks:
            held += block
            if len(held) >= HEAD_BYTES:
                yield bytes(held)
                held.clear()
    except BrokenOff:
        yield bytes(held)
        raise
    if held:
        yield bytes(held)
