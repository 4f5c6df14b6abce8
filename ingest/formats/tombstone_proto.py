"""Tombstones of Android 12 and later in protobuf (``tombstone_00.pb``), which an app gets of its own crashes as well.

Android writes each beside one as text. It is read as that text, so that both are the same crash.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice

from google.protobuf.message import DecodeError

from ingest.formats.crashes import MOST_FRAMES, Records, Told, Unfit
from ingest.formats.format import Document
from ingest.formats.protobuf import values
from ingest.formats.tombstone import Block, add_native

_MOST_BYTES = 16 << 20
_MOST_BYTES_OF_TEXT = 4000
_MOST_FIELDS = 100_000  # of a message; a process has some thousand mappings
_ARCHITECTURES = ("arm", "arm64", "x86", "x86_64", "riscv64")
_NARROW = (0, 2)  # of 32 bits
# Architecture, build, revision and time of the crash. Protobuf leaves out what is zero, as the first architecture.
_BEGINS = re.compile(
    rb"(?:\x08[\x01-\x0f])?\x12[\x01-\xff]{1,2}[ -~]{3,300}?(?:\x1a[\x01-\x7f][ -~]{1,127})?"
    rb"\x22[\x13-\x30]\d{4}-\d\d-\d\d \d\d:\d\d:\d\d"
)


class _Message:
    """The fields of a message; of what is cut short those before.

    Attributes:
        is_whole: whether it is not cut short.
    """

    def __init__(self, data: memoryview | int | None) -> None:
        self.is_whole = True
        self._fields: dict[int, list[int | memoryview]] = {}
        try:
            told = values(data if isinstance(data, memoryview) else memoryview(b""))
            for number, value in islice(told, _MOST_FIELDS):
                self._fields.setdefault(number, []).append(value)
        except DecodeError:
            self.is_whole = False

    def __bool__(self) -> bool:
        return bool(self._fields)

    def whole(self, number: int) -> int:
        """The last value of a field; 0 without one."""
        value = self._fields.get(number, [0])[-1]
        return value if isinstance(value, int) else 0

    def signed(self, number: int) -> int:
        """A value that may be below 0."""
        value = self.whole(number) & 0xFFFFFFFF
        return value - (1 << 32) if value >> 31 else value

    def text(self, number: int, *, at: int = -1) -> str:
        """A text; empty without one."""
        value = self._fields.get(number, [b""])[at]
        return "" if isinstance(value, int) else bytes(value[:_MOST_BYTES_OF_TEXT]).decode("utf-8", "replace")

    def messages(self, number: int) -> Iterator[_Message]:
        """The messages of a field."""
        return map(_Message, self._fields.get(number, ()))


def _read(data: bytes, told: Told) -> Records:
    tombstone = _Message(memoryview(data))
    records = Records(told)
    add_native(records, Block("", None, "\n".join(_lines(tombstone)).splitlines()))
    if not tombstone.is_whole:
        records.damage = Unfit("bad_tombstone", "The tombstone ends within what tells of the crash, or behind it")
    if records.damage and not records.read:
        raise records.damage
    return records


def _lines(tombstone: _Message) -> Iterator[str]:
    """A tombstone as debuggerd prints it, without registers and memory."""
    architecture, number = tombstone.whole(1), tombstone.whole(6)
    digits = 8 if architecture in _NARROW else 16
    entries = (one for one in tombstone.messages(16) if one.whole(1) == number)
    thread = next((thread for one in entries for thread in one.messages(2)), _Message(None))
    yield f"Build fingerprint: '{tombstone.text(2)}'"
    if architecture < len(_ARCHITECTURES):
        yield f"ABI: '{_ARCHITECTURES[architecture]}'"
    yield f"Timestamp: {tombstone.text(4)}"
    yield f"Process uptime: {tombstone.whole(20)}s"
    process = tombstone.text(9, at=0) or "<unknown>"
    yield f"pid: {tombstone.whole(5)}, tid: {number}, name: {thread.text(2)}  >>> {process} <<<"
    if signal := next(tombstone.messages(10), None):
        sender = f" from pid {signal.signed(7)}, uid {signal.signed(6)}" if signal.whole(5) else ""
        address = f"0x{signal.whole(9):0{digits}x}" if signal.whole(8) else "--------"
        said = f"code {signal.signed(3)} ({signal.text(4)}{sender}), fault addr {address}"
        yield f"signal {signal.whole(1)} ({signal.text(2)}), {said}"
    causes = list(tombstone.messages(15))
    if len(causes) == 1:
        yield f"Cause: {causes[0].text(1)}"
    if message := tombstone.text(14):
        yield f"Abort message: '{message}'"
    yield "backtrace:"
    for place, frame in zip(range(MOST_FRAMES), thread.messages(4), strict=False):
        yield f"      #{place:02} pc {frame.whole(1):0{digits}x}  {frame.text(6)}{_more(frame)}"


def _more(frame: _Message) -> str:
    mapped = f" (offset 0x{frame.whole(7):x})" if frame.whole(7) else ""
    function = f" ({frame.text(4)}+{frame.whole(5)})" if frame.text(4) else ""
    return f"{mapped}{function}" + (f" (BuildId: {frame.text(8)})" if frame.text(8) else "")


TOMBSTONE_PROTO = Document(
    "Android tombstone in protobuf",
    recognises=lambda head: _BEGINS.match(head.data) is not None,
    read=_read,
    most_bytes=_MOST_BYTES,
    is_cut=True,
)
