"""Windows event logs: ``.evtx`` files, and their events as XML of wevtutil and the Event Viewer, quoted by a page too.

``windows_events`` decides which events are crashes.
"""

from __future__ import annotations

import re
import struct
import sys
from collections.abc import Callable, Iterable, Iterator
from shutil import copyfileobj
from subprocess import DEVNULL, PIPE, Popen
from tempfile import TemporaryFile
from typing import IO
from xml.etree.ElementTree import ParseError

from ingest.formats import evtx_process
from ingest.formats.crashes import Records, Told, Unfit, too_much
from ingest.formats.event_dates import days_first
from ingest.formats.event_text import blocks_in, dated, event_in
from ingest.formats.evtx_chunks import CHUNK_BYTES, is_sound, mended
from ingest.formats.format import HEAD_BYTES, Head, Log, until_broken
from ingest.formats.lines import texts_in
from ingest.formats.windows_events import PROVIDERS, Crashes, Event, event_of

_MOST_BYTES = 4 << 30  # the largest size of a classic log of Windows
_LONGEST_EVENT = 1 << 20  # characters; Windows allows 64 KiB of data
_MOST_BESIDE = 1 << 20  # characters
_RECORDS_AT_ONCE = 1000

_MAGIC = b"ElfFile\0"
_HEADER_BYTES = 4096
_CHUNK_COUNT = struct.Struct("<H")
_CHUNK_COUNT_AT = 42

_EVENT = re.compile(r"<Event[\s>]")
_EVENT_END = "</Event>"
_HEADER = frozenset(["provider", "number", "at"])
_ENCLOSED = {"<Provider": "<Event><Provider ", "</EventData>": f"</EventData>{_EVENT_END}"}
_XML_SURE = re.compile(r"<Event(?:\s[^<>]{0,500})?>[\s>-]{0,100}<System>.{0,100}?<Provider\s", re.DOTALL)
_BARE_SURE = re.compile(
    rf"<Provider\s[^<>]{{0,100}}?Name=[\"'](?:{'|'.join(map(re.escape, PROVIDERS))})[\"'][^<>]{{0,200}}>"
    r"\s{0,100}<EventID"
)
_OF_ELEMENTS = re.compile(r"<Provider\s|</EventData>|</?System>")
_OTHERS = re.compile(r"[\s\ufeff]*(?:[\[{]|<!DOCTYPE)")  # JSON, which may contain events as texts


class _Damage:
    """The parts of a log that cannot be read."""

    def __init__(self) -> None:
        self._parts = 0
        self._first = ""

    def add(self, what: str) -> None:
        self._parts += 1
        self._first = self._first or " ".join(what.split())[:200]

    def check(self) -> None:
        """Report damage, after all intact events were read.

        Raises:
            Unfit: there is some.
        """
        if self._parts:
            raise Unfit("bad_event_log", f"{self._parts} parts of the event log cannot be read, first: {self._first}")


class _Beside:
    """The text beside events, in which people may have left out the element of some."""

    def __init__(self) -> None:
        self._texts: list[str] = []
        self._size = 0

    def add(self, said: str, *, is_last: bool = False) -> None:
        """Add what stands before the element of an event, or behind the last one."""
        if self._size < _MOST_BESIDE and said.strip():
            self._texts.append(f"{said}\n{_EVENT_END}\n" if not is_last else said)
            self._size += len(said)

    def events(self, told: Told) -> list[Event]:
        """The events with a header that no element follows."""
        lines = "".join(self._texts)[:_MOST_BESIDE].splitlines()
        blocks = [block for block in blocks_in(iter(lines)) if _EVENT_END not in block.lines]
        found = [(block, event_in(block)) for block in blocks if len(_HEADER & block.told.keys()) > 1]
        day_first = days_first(block.told.get("at", "") for block in blocks)
        return [dated(block, event, told.at, day_first) for block, event in found if event is not None]


def _read(texts: Iterable[str], told: Told, damage: _Damage, beside: _Beside | None = None) -> Iterator[Records]:
    """The crashes in events, given as the text of each element."""
    crashes = Crashes(told)
    for xml in texts:
        event = _event(xml, damage)
        if event is not None:
            crashes.add(event)
            if crashes.records.read >= _RECORDS_AT_ONCE:
                yield crashes.taken()
    for event in beside.events(told) if beside else ():
        crashes.add(event)
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
    with TemporaryFile() as file:
        _spool(blocks, file, damage)
        yield from _read(_of_log(file, damage), told, damage)


def _spool(blocks: Iterable[bytes], file: IO[bytes], damage: _Damage) -> None:
    """Put a log into a file, as its parser needs to seek; damaged chunks go last, as the parser may stop at them."""
    rest, header, size_bytes = bytearray(), b"", 0
    with TemporaryFile() as doubtful:
        for block in until_broken(blocks):
            size_bytes += len(block)
            if size_bytes > _MOST_BYTES:
                raise too_much("The event log has", _MOST_BYTES, "bytes")
            rest += block
            if not header and len(rest) >= _HEADER_BYTES:
                header = bytes(rest[:_HEADER_BYTES])
                file.write(header)
                del rest[:_HEADER_BYTES]
            while header and len(rest) >= CHUNK_BYTES:
                chunk = bytes(rest[:CHUNK_BYTES])
                del rest[:CHUNK_BYTES]
                if not chunk.strip(b"\0"):  # preallocated space
                    continue
                if is_sound(chunk):
                    file.write(chunk)
                else:  # in a log that is being written, or damaged
                    doubtful.write(mended(chunk))
        if rest.strip(b"\0"):  # the parser reads only whole chunks, and of this one the events before the end
            doubtful.write(rest.ljust(CHUNK_BYTES, b"\0"))
        doubtful.seek(0)
        copyfileobj(doubtful, file)
    if not header or size_bytes < _HEADER_BYTES + _CHUNK_COUNT.unpack_from(header, _CHUNK_COUNT_AT)[0] * CHUNK_BYTES:
        damage.add("its end is missing")
    file.flush()
    file.seek(0)


def _of_log(file: IO[bytes], damage: _Damage) -> Iterator[str]:
    """The events of a log; of a damaged chunk the intact ones."""
    command = [sys.executable, "-P", evtx_process.__file__, *PROVIDERS]
    parser = Popen(command, stdin=file, stdout=PIPE, stderr=DEVNULL)
    assert parser.stdout is not None  # noqa: S101 - it is a pipe
    try:
        while len(frame := parser.stdout.read(evtx_process.FRAME.size)) == evtx_process.FRAME.size:
            kind, size_bytes = evtx_process.FRAME.unpack(frame)
            said = parser.stdout.read(size_bytes).decode("utf-8", "replace")
            start = _EVENT.search(said)
            if kind == evtx_process.DAMAGE:
                damage.add(said)
            elif start is None:
                damage.add("an event has another name")
            else:
                yield said[start.start() :]
        if parser.wait():
            damage.add("it keeps its parser busy for too long, or takes too much memory")
    finally:
        parser.kill()
        parser.stdout.close()
        parser.wait()


# -- XML


def _read_xml(blocks: Iterator[bytes], told: Told) -> Iterator[Records]:
    damage, beside = _Damage(), _Beside()
    yield from _read(_of_xml(texts_in(until_broken(blocks)), damage, beside), told, damage, beside)


def _of_xml(texts: Iterable[str], damage: _Damage, beside: _Beside | None = None) -> Iterator[str]:
    """The events within a text, each from its own start: text before it, such as a DOCTYPE, is not parsed."""
    rest = ""
    for part in texts:
        *whole, rest = (rest + part).split(_EVENT_END)
        for one in whole:
            starts = [start.start() for start in _EVENT.finditer(one)]
            if starts:  # a truncated event may precede an intact one
                if beside is not None:
                    beside.add(one[: starts[0]])
                yield one[starts[-1] :] + _EVENT_END
        if len(rest) > _LONGEST_EVENT:
            rest = rest[-10:]
            damage.add(f"an event has more than {_LONGEST_EVENT:,} characters")
    if _EVENT.search(rest):
        damage.add("its last event has no end")
    elif beside is not None:
        beside.add(rest, is_last=True)


def _is_xml(head: Head) -> bool:
    """Whether there is an event; the Event Viewer copies a description in its language before each.

    Where people cut the only event short, its description tells more.
    """
    start = _EVENT.search(head.text)
    is_cut = start is not None and head.text.find(_EVENT_END, start.end()) < 0 and len(head.data) < HEAD_BYTES
    if is_cut and "Event Xml:" in head.text:
        return False
    return _OTHERS.match(head.text) is None and _XML_SURE.search(head.text) is not None


def _read_escaped(blocks: Iterator[bytes], told: Told) -> Iterator[Records]:
    damage = _Damage()
    texts = _each(texts_in(until_broken(blocks)), "&", len("&quot"), _as_shown)
    yield from _read(_of_xml(texts, damage), told, damage)


def _each(texts: Iterable[str], begins: str, longest: int, change: Callable[[str], str]) -> Iterator[str]:
    """Texts, each changed; what begins with a sign near the end of one may go on in the next.

    Args:
        longest: beginning of what is changed.
    """
    rest = ""
    for part in texts:
        rest += part
        cut = rest.rfind(begins, -longest)
        whole, rest = (rest, "") if cut < 0 else (rest[:cut], rest[cut:])
        yield change(whole)
    yield change(rest)


def _as_shown(text: str) -> str:
    """A text of a page as it shows it, as far as tags go; ``&amp;`` stays, as the events have their own."""
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", '"')


def _is_escaped(head: Head) -> bool:
    """Whether there is an event as a page's source has it, before any that is not escaped."""
    return (
        _OTHERS.match(head.text) is None
        and "&lt;Event" in head.text
        and _XML_SURE.search(head.text) is None
        and _XML_SURE.search(_as_shown(head.text)) is not None
    )


def _read_bare(blocks: Iterator[bytes], told: Told) -> Iterator[Records]:
    damage = _Damage()
    texts = _each(texts_in(until_broken(blocks)), "<", len("</EventData"), _enclosed)
    yield from _read(_of_xml(texts, damage), told, damage)


def _enclosed(text: str) -> str:
    """Events without the elements around their values, each in one of its own again."""
    return _OF_ELEMENTS.sub(lambda tag: _ENCLOSED.get(tag[0].strip(), ""), text)


def _is_bare(head: Head) -> bool:
    """Whether there is an event without its outer elements, which a page may take for its own, or people leave out."""
    if "</EventData>" not in head.text or _OTHERS.match(head.text) or _EVENT.search(head.text):
        return False
    return _BARE_SURE.search(head.text) is not None


EVENT_LOG = Log("Windows event log", lambda head: head.data.startswith(_MAGIC), _read_log)
EVENT_LOG_XML = Log("Windows events as XML", _is_xml, _read_xml)
EVENT_LOG_ESCAPED = Log("Windows events as XML within a page", _is_escaped, _read_escaped)
EVENT_LOG_BARE = Log("Windows events as XML, without their outer elements", _is_bare, _read_bare)
