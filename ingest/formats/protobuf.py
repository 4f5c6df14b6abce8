"""Protobuf's wire format, read field by field: an object of a whole message takes seventy times its bytes."""

from __future__ import annotations

import re
from collections.abc import Iterator

from google.protobuf.descriptor import Descriptor
from google.protobuf.message import DecodeError

_NOT_TEXT = re.compile("[\udc80-\udcff]")  # bytes that are no UTF-8, as Python escapes them


def fields(message: memoryview) -> Iterator[tuple[int, memoryview]]:
    """The fields of a message in protobuf's wire format, by number; empty for those that are numbers.

    Raises:
        DecodeError: it is not valid.
    """
    for number, value in values(message):
        yield number, message[:0] if isinstance(value, int) else value


def values(message: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """The fields of a message with their values, of which whole numbers have no sign.

    Raises:
        DecodeError: it is not valid, after the fields before.
    """
    at = 0
    while at < len(message):
        tag, at = _varint(message, at)
        kind, end, number = tag & 7, at, 0
        if kind == 0:
            number, end = _varint(message, at)
        elif kind in (1, 5):
            end = at + (8 if kind == 1 else 4)
            number = int.from_bytes(message[at:end], "little")
        elif kind == 2:
            size_bytes, at = _varint(message, at)
            end = at + size_bytes
        if kind not in (0, 1, 2, 5) or end > len(message):
            raise DecodeError(f"no field at byte {at}")
        yield tag >> 3, message[at:end] if kind == 2 else number
        at = end


def _varint(message: memoryview, at: int) -> tuple[int, int]:
    found = 0
    for place in range(at, min(at + 10, len(message))):
        found |= (message[place] & 127) << 7 * (place - at)
        if message[place] < 128:
            return found, place + 1
    raise DecodeError(f"no number at byte {at}")


def mend(message: memoryview, kind: Descriptor) -> None:
    """Replace each byte that is not UTF-8 in the texts of a message; some clients send texts of any encoding.

    Raises:
        DecodeError: it is not valid.
    """
    for number, told in fields(message):
        field = kind.fields_by_number.get(number)
        if field is not None and field.message_type is not None:
            try:
                mend(told, field.message_type)
            except RecursionError as error:
                raise DecodeError("nested too deeply") from error
        elif field is not None and field.type == field.TYPE_STRING:
            told[:] = _NOT_TEXT.sub("?", bytes(told).decode(errors="surrogateescape")).encode()
