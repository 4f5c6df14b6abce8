"""The lines of a stream of bytes, in bounded memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator


def lines_in(blocks: Iterable[bytes], longest_bytes: int) -> Iterator[bytes]:
    """The lines of a stream, without their ends; of a longer one its beginning, ``longest_bytes`` + 1 of it."""
    held = bytearray()
    for block in blocks:
        *whole, rest = block.split(b"\n")
        for piece in whole:
            held += piece[: longest_bytes + 1 - len(held)]
            yield bytes(held)
            held.clear()
        held += rest[: longest_bytes + 1 - len(held)]
    if held:
        yield bytes(held)
