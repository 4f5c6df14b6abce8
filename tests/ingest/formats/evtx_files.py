"""Event logs made up for tests, in the shape that Windows writes them: ``.evtx`` and XML."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from xml.sax.saxutils import escape, quoteattr
from zlib import crc32

_FILETIME_1970 = 11_644_473_600 * 10_000_000
_CHUNK_BYTES = 64 << 10
_EVENTS_OF_A_CHUNK = 20


@dataclass(frozen=True)
class Made:
    """An event; its data are values, or pairs of a name and a value."""

    provider: str
    number: int
    data: Sequence[str | tuple[str, str]] = ()
    at: str = "2024-07-19T04:10:03.250000Z"
    host: str = "PC-1.example.org"
    more: dict[str, str] = field(default_factory=dict)  # attributes of the provider

    @property
    def pairs(self) -> list[tuple[str, str]]:
        return [one if isinstance(one, tuple) else ("", one) for one in self.data]

    def xml(self) -> str:
        """As wevtutil writes it."""
        attributes = "".join(f" {name}={quoteattr(value)}" for name, value in self.more.items())
        data = "".join(
            (f"<Data Name={quoteattr(name)}>" if name else "<Data>") + escape(value) + "</Data>"
            for name, value in self.pairs
        )
        return (
            "<Event xmlns='http://schemas.microsoft.com/win/2004/08/events/event'><System>"
            f"<Provider Name={quoteattr(self.provider)}{attributes}/><EventID Qualifiers='0'>{self.number}</EventID>"
            f"<Level>2</Level><TimeCreated SystemTime='{self.at}'/><EventRecordID>7</EventRecordID>"
            f"<Channel>System</Channel><Computer>{self.host}</Computer><Security/></System>"
            f"<EventData>{data}<Binary>00</Binary></EventData></Event>"
        )


def evtx(events: Iterable[Made]) -> bytes:
    """A log of several chunks."""
    made = list(events)
    chunks = [
        _chunk(made[at : at + _EVENTS_OF_A_CHUNK], at + 1) for at in range(0, max(len(made), 1), _EVENTS_OF_A_CHUNK)
    ]
    head = struct.pack("<8sQQQIHHHH", b"ElfFile\0", 0, len(chunks) - 1, len(made) + 1, 128, 1, 3, 4096, len(chunks))
    return head.ljust(4096, b"\0") + b"".join(chunks)


def _chunk(events: Sequence[Made], first: int) -> bytes:
    body = bytearray(512)
    last = 512
    for number, event in enumerate(events, first):
        last = len(body)
        xml = _Binary(last + 24).event(event)
        size = 24 + len(xml) + 4
        body += struct.pack("<4sIQQ", b"\x2a\x2a\0\0", size, number, _FILETIME_1970) + xml + struct.pack("<I", size)
    end = first + len(events) - 1
    head = struct.pack("<8sQQQQIIII", b"ElfChnk\0", first, end, first, end, 128, last, len(body), 0)
    body[: len(head)] = head
    body[52:56] = struct.pack("<I", crc32(body[512:]))
    body[124:128] = struct.pack("<I", crc32(body[:120] + body[128:512]))
    return bytes(body.ljust(_CHUNK_BYTES, b"\0"))


class _Binary:
    """An event in binary XML; a place is counted from the start of its chunk.

    It has no templates, which most events of Windows have, so an element names none that it depends on.
    """

    def __init__(self, start: int) -> None:
        self._start = start
        self._out = bytearray(b"\x0f\x01\x01\x00")

    def event(self, made: Made) -> bytes:
        self._open("Event")
        self._open("System")
        self._open("Provider", {"Name": made.provider, **made.more})
        self._close()
        self._text("EventID", str(made.number))
        self._open("TimeCreated", {"SystemTime": made.at})
        self._close()
        self._text("Computer", made.host)
        self._close()
        self._open("EventData")
        for name, value in made.pairs:
            self._text("Data", value, {"Name": name} if name else {})
        self._close()
        self._close()
        return bytes(self._out + b"\0")

    def _text(self, name: str, value: str, attributes: dict[str, str] | None = None) -> None:
        self._open(name, attributes or {})
        self._out += b"\x05\x01" + _sized(value)
        self._close()

    def _open(self, name: str, attributes: dict[str, str] | None = None) -> None:
        self._out += struct.pack("<BI", 0x41 if attributes else 0x01, 0)
        self._name(name)
        if attributes:
            self._out += struct.pack("<I", 0)
            for at, (one, value) in enumerate(attributes.items(), 1):
                self._out += b"\x06" if at == len(attributes) else b"\x46"
                self._name(one)
                self._out += b"\x05\x01" + _sized(value)
        self._out += b"\x02"

    def _close(self) -> None:
        self._out += b"\x04"

    def _name(self, name: str) -> None:
        self._out += struct.pack("<I", self._start + len(self._out) + 4)
        self._out += struct.pack("<IH", 0, 0) + _sized(name) + b"\0\0"


def _sized(text: str) -> bytes:
    data = text.encode("utf-16-le")
    return struct.pack("<H", len(data) // 2) + data
