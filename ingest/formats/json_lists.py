"""The elements of JSON lists, one after another, from a document that may be larger than memory."""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator

from ingest.formats.crashes import Unfit

_PLAIN = re.compile(rb'(?:[^"\[\]{}]++|"[^"\\]*+(?:\\.[^"\\]*+)*+")*+', re.DOTALL)
_IN_STRING = re.compile(rb'[^"\\]*+(?:\\.[^"\\]*+)*+', re.DOTALL)
_MOST_BEFORE_BYTES = 64 << 10  # of a document, until its list begins
_MOST_DEPTH = 200  # no parser goes deeper, and counting more takes long
_KEPT_BYTES = 8 << 10  # of text between lists, as the beginning of a list may be split over two blocks


class Elements:
    """The elements that are objects or lists, in the lists whose beginnings a pattern finds.

    Args:
        begins: matches the text up to the first element of a list, including its bracket.
        longest_bytes: of an element; a longer one is truncated.
    Attributes:
        before: the text between the previous list and this one.
        is_open: whether the document ended within a list.
    """

    def __init__(self, begins: re.Pattern[bytes], longest_bytes: int) -> None:
        self.before = b""
        self.is_open = False
        self._begins = begins
        self._longest_bytes = longest_bytes
        self._held = bytearray()  # of the current element
        self._depth = 0  # of brackets within the list
        self._in_string = self._is_escaped = False

    def of(self, blocks: Iterator[bytes]) -> Iterator[bytes]:
        """Each element as raw bytes.

        Raises:
            Unfit: one is nested too deeply.
        """
        between = b""
        for block in blocks:
            rest = block
            while rest:
                if not self.is_open:
                    between += rest
                    found = self._begins.search(between)
                    if found is None:
                        between = between if len(between) < _MOST_BEFORE_BYTES else between[-_KEPT_BYTES:]
                        break
                    self.before, rest, between = between[: found.end()], between[found.end() :], b""
                    self.is_open = True
                rest = yield from self._within(rest)

    def _within(self, data: bytes) -> Generator[bytes, None, bytes]:
        """The elements in data that begins within a list. Returns the data after the list."""
        at = 0
        while at < len(data):
            end = self._string_end(data, at) if self._in_string else _end_of(_PLAIN, data, at)
            self._keep(data, at, end)
            at = end
            if self._in_string or at >= len(data):
                continue
            sign = data[at : at + 1]
            if sign in (b"]", b"}") and not self._depth:
                self.is_open = False
                return data[at + 1 :]
            self._in_string = sign == b'"'  # which does not end in this block
            self._depth += sign in (b"[", b"{")
            if self._depth > _MOST_DEPTH:
                raise Unfit("bad_json", f"Its brackets are nested more than {_MOST_DEPTH} deep")
            self._keep(data, at, at + 1)
            at += 1
            if sign in (b"]", b"}"):
                self._depth -= 1
                if not self._depth:
                    yield bytes(self._held)
                    self._held.clear()
        return b""

    def _keep(self, data: bytes, start: int, end: int) -> None:
        room = self._longest_bytes + 1 - len(self._held)
        if self._depth and room > 0:
            self._held += data[start : min(end, start + room)]

    def _string_end(self, data: bytes, at: int) -> int:
        """The end of a string that began earlier, or of the data."""
        end = _end_of(_IN_STRING, data, at + self._is_escaped)
        self._is_escaped = data[end : end + 1] == b"\\"
        self._in_string = data[end : end + 1] != b'"'
        return min(end + 1, len(data))


def _end_of(pattern: re.Pattern[bytes], data: bytes, at: int) -> int:
    found = pattern.match(data, at)
    assert found is not None  # noqa: S101 - all of it may be missing
    return found.end()
