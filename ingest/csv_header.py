"""The header of a CSV file: the names of its columns, or why the file cannot be read."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from fleetcrash.errors import UnreadableSource
from fleetcrash.records import COLUMNS, Kind
from ingest import csv_records
from ingest.tables import of_no_kind

LONGEST_HEADER_BYTES = 64 << 10  # the names of all columns of all kinds take less than 1 KiB

_OTHER_SEPARATORS = {";": "semicolons", "\t": "tabs"}
_IN_QUOTES = re.compile(rb'"[^"]*"')


@dataclass(frozen=True)
class Header:
    """The first record of a file.

    Attributes:
        raw: as it came, without its newline.
        names: of the columns, in order.
    """

    raw: bytes
    names: tuple[str, ...]


def header_of(raw: bytes, source: str, *, line: int, is_sound: bool, named: Kind | None) -> Header:
    """Read a header.

    Args:
        raw: the record without its newline.
        line: its line number, from 1.
        is_sound: whether its quotes are where quotes may be.
        named: the kind in the file's name, or its folder's.
    Raises:
        UnreadableSource: the kind of its rows is unknown, or all would be refused.
    """

    def unreadable(found: str, advice: str) -> UnreadableSource:
        return UnreadableSource(
            f"{source}: line {line}, which must name the columns, {found}. Nothing of it was loaded. {advice}"
        )

    # Lines that end in CR alone are one line, whose first names are known: nothing would be loaded, without a word.
    if b"\r" in _IN_QUOTES.sub(b"", raw[:LONGEST_HEADER_BYTES]):
        raise unreadable("has a carriage return that ends no line", "End lines with LF or CRLF, not with CR alone.")
    if len(raw) > LONGEST_HEADER_BYTES:
        advice = "A CSV file must begin with a line such as crash_id,host_id,occurred_at,os_type."
        raise unreadable(f"is longer than {LONGEST_HEADER_BYTES >> 10} KiB", advice)
    if not is_sound:
        advice = 'A name with a quote or comma in it must be in quotes: "a ""b"", c".'
        raise unreadable("has a quote in the middle of a name, or one that is never closed", advice)
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        raise unreadable("is not UTF-8", "Save the file as UTF-8.") from None
    names = _names(raw)
    known = _known(named, names)
    if not known & set(names):
        for separator, separators in _OTHER_SEPARATORS.items():
            others = [name.strip('"') for name in text.split(separator)]
            if "," not in text and _known(named, others) & set(others):
                raise unreadable(f"is separated by {separators}; commas are read", "Write it again with commas.")
        wanted = ", ".join(column.name for column in COLUMNS[named or Kind.CRASH] if column.required)
        shown = text if len(text) <= 100 else f"{text[:100]}…"
        raise unreadable(
            f"has no known column: {shown!r}",
            "Rename the columns; or, if the file has no header, put one above the rows: "
            f"a {named or Kind.CRASH} must have {wanted}.",
        )
    # Spreadsheets write columns without a name, often several; they are not read.
    if repeated := sorted(name for name, times in Counter(names).items() if name and times > 1):
        raise unreadable(f"names a column twice: {', '.join(repeated)}", "Rename or remove one of them.")
    if named is None and "record" not in names:
        raise of_no_kind(source)
    return Header(raw, names)


def known_places(names: Sequence[str], named: Kind | None) -> dict[str, int]:
    """Places of the columns that some row of the file may have."""
    known = _known(named, names)
    return {name: place for place, name in enumerate(names) if name in known}


def _names(raw: bytes) -> tuple[str, ...]:
    data = raw + b"\n"
    records = csv_records.split(data, at_end=True)
    found = csv_records.fields(csv_records.text_of(data, records, np.arange(1)))
    places = zip(found.starts.tolist(), found.ends.tolist(), strict=True)
    return tuple(raw[start:end].decode("utf-8").replace('""', '"') for start, end in places)


def _known(named: Kind | None, names: Iterable[str]) -> set[str]:
    kinds = list(Kind) if named is None or "record" in names else [named]
    return {"record", *(column.name for kind in kinds for column in COLUMNS[kind])}
