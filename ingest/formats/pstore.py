"""The parts of its log that a dying kernel saved; the first part is the end of the log."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

_PART = re.compile(r"[A-Z][a-z]{2,12}#(?P<dump>\d{1,9}) Part(?P<part>\d{1,6})")
_MOST_HELD = 4000  # lines of a dump; by default a kernel saves 10 KiB


def in_order(lines: Iterable[str]) -> Iterator[str]:
    """The lines of a log; those of a dump from its last part to its first, without the heads of parts.

    Files of parts are named by number, so concatenated they begin with the end of the log. Parts in the order of time
    stay as they are.
    """
    parts: list[list[str]] = []
    dump, last, held = "", 0, 0
    for line in lines:
        found = _PART.fullmatch(line.strip())
        if found is None and not parts:
            yield line
            continue
        if found is None and held < _MOST_HELD:
            parts[-1].append(line)
            held += 1
            continue
        goes_on = found is not None and found["dump"] == dump and int(found["part"]) == last + 1
        if not goes_on or held >= _MOST_HELD:
            yield from _joined(parts)
            parts, held = [], 0
        if found is None:
            yield line
        else:
            parts.append([])
            held += 1
            dump, last = found["dump"], int(found["part"])
    yield from _joined(parts)


def _joined(parts: list[list[str]]) -> Iterator[str]:
    for part in reversed(parts):
        yield from part
