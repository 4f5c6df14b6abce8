"""Bodies of ``multipart/form-data``, read within bounds."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from ingest.collector.refusal import Refusal, too_large

_MOST_PARTS = 200
_LONGEST_HEADERS_BYTES = 8 << 10
_BOUNDARY = re.compile(r'boundary=(?:"([^"]{1,200})"|([^;\s"]{1,200}))', re.IGNORECASE)
_NAME = re.compile(rb'(?:^|[;\s])name="?([^";\r\n]{1,200})"?', re.IGNORECASE)
_FILE = re.compile(rb"(?:^|[;\s])filename\*?=", re.IGNORECASE)


@dataclass(frozen=True)
class Part:
    """A part of a form.

    Attributes:
        is_file: whether it came as a file.
        data: shares the memory of the body.
    """

    name: str
    is_file: bool
    data: memoryview


def parts_of(body: bytearray, content_type: str) -> Iterator[Part]:
    """The parts of a form, including a last one that is truncated.

    Raises:
        Refusal: it is not a form, or has too many parts.
    """
    told = _BOUNDARY.search(content_type)
    if told is None:
        raise Refusal(400, "bad_form", "The Content-Type names no boundary. Nothing of the body was kept.")
    mark = b"--" + (told[1] or told[2]).encode("latin-1", "replace")
    at = body.find(mark)
    if at < 0:
        raise Refusal(400, "bad_form", "The body has no part with the boundary named. Nothing of it was kept.")
    view, count = memoryview(body), 0
    while at >= 0 and body[at + len(mark) : at + len(mark) + 2] != b"--":
        count += 1
        if count > _MOST_PARTS:
            raise too_large("The form has", _MOST_PARTS, "parts")
        start = at + len(mark)
        following = body.find(b"\r\n" + mark, start)
        end = len(body) if following < 0 else following
        head_end = body.find(b"\r\n\r\n", start, min(end, start + _LONGEST_HEADERS_BYTES))
        if head_end >= 0:
            yield from _part(bytes(view[start:head_end]), view[head_end + 4 : end])
        at = following + 2 if following >= 0 else -1


def _part(head: bytes, data: memoryview) -> Iterator[Part]:
    for line in head.split(b"\r\n"):
        name, _, said = line.partition(b":")
        if name.strip().lower() == b"content-disposition" and (found := _NAME.search(said)):
            yield Part(found[1].decode("utf-8", "replace"), _FILE.search(said) is not None, data)
            return
