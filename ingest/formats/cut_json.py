"""JSON that is followed by other text, or breaks off; the intact part may still describe a crash."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

_MOST_DEPTH = 100  # of brackets, in a truncated document
_MOST_TOKENS = 1_000_000  # in such a document; a crash has some 50,000

_DECODER = json.JSONDecoder(parse_constant=lambda _: None, strict=False)  # copied text may contain raw newlines
_TOKEN = re.compile(r'["\[\]{},]')
_GOES_ON = re.compile(r"\s*(?:[:,\]}]|$)")
_STRING_END = re.compile(r'[^"\\]*+(?:\\.[^"\\]*+)*+"', re.DOTALL)


class First(NamedTuple):
    """The JSON object at the start of a text.

    Attributes:
        found: None for anything else. rest: the text after it. is_whole: whether it is complete.
    """

    found: dict[str, Any] | None
    rest: str
    is_whole: bool


def first_object(said: str, long_text: str) -> First:
    """The JSON object at the start of a text; of a truncated one the intact part.

    Args:
        long_text: the end of a name; of a truncated text with such a name, whole lines are kept.
    """
    for number, tried in enumerate(_readings(said, re.compile(rf'{long_text}"\s{{0,9}}:\s{{0,9}}"$'))):
        try:
            found, end = _DECODER.raw_decode(tried)
        except (ValueError, RecursionError):
            continue
        is_whole = isinstance(found, dict) and not number
        return First(found if isinstance(found, dict) else None, "" if number else said[end:], is_whole)
    return First(None, said, is_whole=False)


def _readings(said: str, long_text: re.Pattern[str]) -> Iterator[str]:
    """A document as it is; then as if it had ended after its last intact value."""
    yield said
    at, open_ = 0, ""
    cut, open_there = 0, ""
    for _ in range(_MOST_TOKENS):
        token = _TOKEN.search(said, at)
        if token is None or len(open_) > _MOST_DEPTH:
            break
        at, kind = token.end(), token[0]
        if kind == '"':
            end = _STRING_END.match(said, at)
            if end is None:
                if long_text.search(said, max(at - 100, 0), at):
                    line = said.rfind("\\n", at)
                    yield said[: line if line > 0 else len(said)].rstrip("\\") + '"' + open_
                break
            at = end.end()
            if open_ and not _GOES_ON.match(said, at):  # other text
                yield said[:at] + open_
                break
        elif kind in "[{":
            open_ = ("]" if kind == "[" else "}") + open_
        elif kind in "]}":
            open_ = open_[1:]
        else:
            cut, open_there = token.start(), open_
    if said.rstrip().endswith(('"', "]", "}")):
        yield said + open_
    yield said[:cut] + open_there
