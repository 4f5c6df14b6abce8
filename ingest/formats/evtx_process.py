"""Reads an event log in a process of its own, which ``event_log`` starts: a log on its input, events on its output.

The parser is native code, and there are logs that keep it busy for good, with all other threads waiting: nothing in its
own process could end it. So it has one whose time and memory are bounded, and what it told before its end counts.
"""

from __future__ import annotations

import os
import re
import resource
import struct
import sys
from collections.abc import Iterator
from typing import BinaryIO

from evtx import PyEvtxParser

EVENT, DAMAGE = b"E", b"D"
# Precedes each event (XML) and each message about damage: which of the two it is, and its size in bytes.
FRAME = struct.Struct("<cI")

_CPU_S = 5  # where a log takes 10 ms a MiB
_BYTES_A_CPU_S = 4 << 20
_MEMORY_BYTES = 2 << 30
_LONGEST_EVENT_BYTES = 8 << 20

_PROVIDER = re.compile(r'<Provider\s[^>]{0,300}?Name="([^"]{1,100})"')


def _told(log: BinaryIO, providers: frozenset[str]) -> Iterator[tuple[bytes, str]]:
    """The events of some providers; of a chunk that is damaged, those that are whole."""
    try:
        found = PyEvtxParser(log, number_of_threads=1).records()
    except (RuntimeError, OSError) as error:
        yield DAMAGE, str(error)
        return
    while True:
        try:
            record = next(found, None)
        except (RuntimeError, OSError) as error:
            yield DAMAGE, str(error)
            continue
        if record is None:
            return
        xml = record["data"]
        provider = _PROVIDER.search(xml)
        if provider is not None and provider[1] in providers:
            yield EVENT, xml


def main() -> None:
    """Tell the events of a log: their providers are arguments."""
    cpu_s = _CPU_S + os.fstat(0).st_size // _BYTES_A_CPU_S
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_s, cpu_s))
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_BYTES, _MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    for kind, said in _told(sys.stdin.buffer, frozenset(sys.argv[1:])):
        data = said.encode("utf-8", "replace")[:_LONGEST_EVENT_BYTES]
        sys.stdout.buffer.write(FRAME.pack(kind, len(data)) + data)
        sys.stdout.buffer.flush()  # it may be the last that this process says


if __name__ == "__main__":
    main()
