"""Windows event logs: the files ``.evtx`` themselves, and their events as XML, as wevtutil and the Event Viewer write.

What of their events is a crash, ``windows_events`` tells.
"""

from __future__ import annotations

import codecs
import re
import struct
from collections.abc import Iterable, Iterator
from tempfile import SpooledTemporaryFile
from typing import IO
from xml.etree.ElementTree import ParseError

from evtx import PyEvtxParser

from ingest.formats.crashes import Records, Told, Unfit, too_much
from ingest.formats.format import Head, Log
from ingest.formats.windows_events import Crashes, Event, event_of

_MOST_BYTES = 4 << 30  # no classic log of Windows grows beyond
_HELD_BYTES = 8 << 20  # in memory; a longer log is put into a file, as its parser goes back and forth
_LONGEST_EVENT = 1 << 20  # characters; Windows allows 64 KiB of data
_RECORDS_AT_ONCE = 1000

_MAGIC = b"ElfFile\0"
_HEADER_BYTES, _CHUNK_BYTES = 4096, 64 << 10
_CHUNK_COUNT = struct.Struct("<H")
_CHUNK_COUNT_AT = 42

_EVENT = re.compile(r"<Event[\s>]")
_EVENT_END = "</Event>"
_XML_HEAD = re.compile(r"[\s\ufeff]*(?:<\?xml[^<>]{0,200}\?>\s*)?(?:<Events(?:\s[^<>]{0,200})?>\s*)?(?:- )?<Event[\s>]")
_XML_SURE = re.compile(r"<System>.{0,100}?<Provider\s", re.DOTALL)


class _Damage:
    """What of a log cannot be read."""

    def __init__(self) -> None:
        self._parts = 0
        self._first = ""

    def add(self, what: str) -> None:
        self._parts += 1
        self._first = self._first or " ".join(what.split())[:200]

    def check(self) -> None:
        """Say so, after all that is whole has been read.

        Raises:
            Unfit: there is some.
        """
        if self._parts:
            raise Unfit("bad_event_log", f"{self._parts} parts of the event log cannot be read, first: {self._first}")


def _read(texts: Iterable[str], told: Told, damage: _Damage) -> Iterator[Records]:
    """The crashes of events, each the text of its element."""
    crashes = Crashes(told)
    for xml in texts:
        event = _event(xml, damage)
        if event is not None:
            crashes.add(event)
            if crashes.records.read >= _RECORDS_AT_ONCE:
                yield crashes.taken()
    crashes.end()
    yield crashes.taken()
    damage.check()


def _event(xml: str, damage: _Damage) -> Event | None:
    if len(xml) > _LONGEST_EVENT:
        damage.add(f"an event has more than {_LONGEST_EVENT:,} characters")
        return None
    try:
        return event_of(xml)
    except ParseError as error:
        damage.add(f"an event is no XML: {error}")
        return None


# -- .evtx


def _read_log(blocks: Iterator[bytes], told: Told) -> Iterator[Records]:
    damage = _Damage()
    with SpooledTemporaryFile(_HELD_BYTES) as file:
        size_bytes = 0
        for block in blocks:
            size_bytes += file.write(block)
            if size_bytes > _MOST_BYTES:
                raise too_much("The event log has", _MOST_BYTES, "bytes")
        yield from _read(_of_log(file, size_bytes, damage), told, damage)


def _of_log(file: IO[bytes], size_bytes: int, damage: _Damage) -> Iterator[str]:
    """The events of a log; of a chunk that is damaged, those that are whole."""
    file.seek(_CHUNK_COUNT_AT)
    header = file.read(_CHUNK_COUNT.size)
    file.seek(0)
    try:
        found = PyEvtxParser(file, number_of_threads=1).records()
    except (RuntimeError, OSError) as error:
        raise Unfit("bad_event_log", f"This is no event log: {' '.join(str(error).split())[:200]}") from error
    while True:
        try:
            record = next(found, None)
        except (RuntimeError, OSError) as error:
            damage.add(str(error))
            continue
        if record is None:
            break
        xml = record["data"]
        start = _EVENT.search(xml)
        yield xml[start.start() :] if start else xml
    if size_bytes < _HEADER_BYTES + _CHUNK_COUNT.unpack(header)[0] * _CHUNK_BYTES:
        damage.add("its end is missing")


# -- XML


def _read_xml(blocks: Iterator[bytes], told: Told) -> Iterator[Records]:
    damage = _Damage()
    yield from _read(_of_xml(_decoded(blocks), damage), told, damage)


def _of_xml(texts: Iterable[str], damage: _Damage) -> Iterator[str]:
    """The events among all else, each from its own beginning on: what stands before, a DOCTYPE too, is not parsed."""
    rest = ""
    for part in texts:
        *whole, rest = (rest + part).split(_EVENT_END)
        for one in whole:
            starts = [start.start() for start in _EVENT.finditer(one)]
            if starts:  # an event that is cut may stand before one that is whole
                yield one[starts[-1] :] + _EVENT_END
        if len(rest) > _LONGEST_EVENT:
            rest = rest[-10:]
            damage.add(f"an event has more than {_LONGEST_EVENT:,} characters")
    if _EVENT.search(rest):
        damage.add("its last event has no end")


def _decoded(blocks: Iterable[bytes]) -> Iterator[str]:
    """Text of UTF-16 where it begins so, else of UTF-8; what is neither is replaced."""
    decoder: codecs.IncrementalDecoder | None = None
    head = b""
    for block in blocks:
        head += block if decoder is None else b""
        if decoder is None and len(head) >= 4:
            decoder = codecs.getincrementaldecoder(_encoding(head))("replace")
            block = head
        if decoder is not None:
            yield decoder.decode(block)
    yield decoder.decode(b"", True) if decoder else head.decode("utf-8", "replace")


def _encoding(head: bytes) -> str:
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16"
    return "utf-16-le" if head[1:2] == b"\0" else "utf-8-sig"


def _is_xml(head: Head) -> bool:
    said = head.data.decode(_encoding(head.data), "replace")
    return _XML_HEAD.match(said) is not None and _XML_SURE.search(said) is not None


EVENT_LOG = Log("Windows event log", lambda head: head.data.startswith(_MAGIC), _read_log)
EVENT_LOG_XML = Log("Windows events as XML", _is_xml, _read_xml)
