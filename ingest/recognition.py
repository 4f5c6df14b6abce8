"""The format of a file by its beginning, whatever was done to its text since it was written."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from ingest.formats.format import HEAD_BYTES, BrokenOff, Document, Head, Log
from ingest.opening import Blocks

_MOST_MARKS = 4  # prefixes before each line, nested

Opened = Callable[[], Blocks]


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
    forms = [_plain(head.data, opened)]
    while len(forms) < _MOST_MARKS and (mark := quoted.mark_of(forms[-1][0]) or quoted.mark_of_some(forms[-1][0])):
        forms.append(_changed(partial(quoted.without, mark), *forms[-1]))
    bare, read_bare = forms[-1]
    if command := quoted.command_bytes(bare):  # tried last
        forms.insert(0, _changed(partial(quoted.behind, command), bare, read_bare))
    known = (
        (format, read)
        for data, read in reversed(forms)
        if not quoted.is_quote(quoted.mark_of(data)) and (format := known_format_of(Head(head.name, data))) is not None
    )
    found, read = next(known, (None, read_bare))
    if found not in (None, KERNEL_FILE, TOMBSTONE):
        return found, read
    # What a command says before the JSON that it prints may look like a log.
    behind = known_format_of(Head(head.name, forms[0][0])) if command and found is KERNEL_FILE else None
    if behind not in (None, KERNEL_FILE):
        return behind, forms[0][1]
    if found is not TOMBSTONE and quoted.is_joined(bare):
        data, read_parted = _changed(quoted.parted, bare, read_bare)
        if known_format_of(Head(head.name, data)) is KERNEL_FILE:
            return KERNEL_FILE, read_parted
    # What a log or a page put before some lines; a log's stamps tell the time, and may be those of a kernel's log.
    for is_so, change in ((quoted.is_stamped, quoted.unstamped), (quoted.is_lazily_quoted, quoted.unquoted)):
        if is_so(bare):
            data, read_changed = _changed(change, bare, read_bare)
            other = known_format_of(Head(head.name, data))
            if other is not None and (other is not KERNEL_FILE or not quoted.is_of_system(bare)):
                return other, read_changed
    return found, read


def format_within(start: bytes, opened: Opened) -> Document | Log | None:
    """The format of a report far from the start of a text, such as in a long log of a program."""
    if len(start) < HEAD_BYTES:
        return None
    from ingest.formats import quoted
    from ingest.formats.known import format_within as known_format_within

    is_text = b"\0" not in start or quoted.is_encoded(start) or quoted.is_zeroed(start)
    return known_format_within(opened()) if is_text else None


def _plain(data: bytes, opened: Opened) -> tuple[bytes, Opened]:
    """A text in UTF-8 without zero bytes, colours, a page's blanks and names, and a blank line behind each."""
    from ingest.formats import quoted

    if quoted.is_encoded(data):
        data, opened = _changed(quoted.in_utf8, data, opened)
    if quoted.is_zeroed(data):
        data, opened = _changed(quoted.unzeroed, data, opened)
    if quoted.is_coloured(data):
        data, opened = _changed(quoted.uncoloured, data, opened)
    if quoted.is_fixed(data):
        data, opened = _changed(quoted.unfixed, data, opened)
    if quoted.is_escaped(data):
        data, opened = _changed(quoted.unescaped, data, opened)
    if quoted.is_spaced(data):
        data, opened = _changed(quoted.unspaced, data, opened)
    return data, opened


def _changed(change: Callable[[Blocks], Blocks], data: bytes, opened: Opened) -> tuple[bytes, Opened]:
    return b"".join(change(iter([data]))), lambda: _joined(change(opened()))


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
