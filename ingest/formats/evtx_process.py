"""Reads an event log in a process of its own, which ``event_log`` starts: a log on its input, events on its output.

The parser is native code, and some logs keep it busy for ever while all other threads wait, so that nothing in the same
process could stop it. It therefore runs in a process with bounded time and memory, whose output up to its end is used.
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

_CPU_S = 5  # a normal log takes 10 ms per MiB
_BYTES_A_CPU_S = 4 << 20
_MEMORY_BYTES = 2 << 30
_LONGEST_EVENT_BYTES = 8 << 20

_PROVIDER = re.compile(r'<Provider\s[^>]{0,300}?Name="([^"]{1,100})"')


def _told(log: BinaryIO, providers: frozenset[str]) -> Iterator[tuple[bytes, str]]:
    """The events of some providers; of a damaged chunk the intact ones."""
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
    """Print the events of a log; the arguments are their providers."""
    cpu_s = _CPU_S + os.fstat(0).st_size // _BYTES_A_CPU_S
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_s, cpu_s))
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_BYTES, _MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    for kind, said in _told(sys.stdin.buffer, frozenset(sys.argv[1:])):
        data = said.encode("utf-8", "replace")[:_LONGEST_EVENT_BYTES]
        sys.stdout.buffer.write(FRAME.pack(kind, len(data)) + data)
        sys.stdout.buffer.flush()  # the process may be killed at any time


if __name__ == "__main__":
    main()
