"""A Linux kernel's log as ``dmesg --json`` prints it: one list of messages with their times."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from ingest.formats.crashes import NotJson, Records, Told, Unfit, parsed
from ingest.formats.format import Log
from ingest.formats.json_lists import Elements
from ingest.formats.kernel_file import KERNEL_FILE

_LIST = re.compile(rb'\{\s{0,99}"dmesg"\s{0,9}:\s{0,9}\[\s{0,99}')
_LONGEST_BYTES = 64 << 10  # of a message


def _read(blocks: Iterator[bytes], told: Told) -> Iterator[Records]:
    elements = Elements(_LIST, _LONGEST_BYTES)
    yield from KERNEL_FILE.read(map(_lines, elements.of(blocks)), told)
    if elements.is_open:
        raise Unfit("bad_kernel_log", "The list of messages has no end")


def _lines(raw: bytes) -> bytes:
    """A message as dmesg prints it without the option; empty if it is none."""
    try:
        message: Any = parsed(raw)
    except NotJson:
        return b""
    if not isinstance(message, dict) or not isinstance(message.get("msg"), str):
        return b""
    at = message.get("time")
    clock = f"{at:12.6f}" if isinstance(at, int | float) and not isinstance(at, bool) and abs(at) < 1e10 else at
    stamp = clock if isinstance(clock, str) and re.match(r"\d{4}-", clock) else f"[{clock}]" if clock else ""
    return f"{stamp} {message['msg'].rstrip()}\n".encode("utf-8", "replace")


KERNEL_JSON = Log(
    "log of a Linux kernel in JSON",
    lambda head: _LIST.match(head.data.lstrip(b"\xef\xbb\xbf \t\r\n")) is not None,
    _read,
)
