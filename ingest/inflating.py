"""gzip and deflate, unpacked as they come, so that of what is cut short all before the end is kept."""

from __future__ import annotations

import zlib
from collections.abc import Iterator

_BLOCK_BYTES = 1 << 20
# How much zlib gets at a time: where a member ends it copies all that follows, and members may be twenty bytes long.
_SLICE_BYTES = 1 << 14


class Inflater:
    """gzip (of one member or several) or deflate, unpacked as it comes.

    Args:
        wbits: the frame, as zlib numbers them; 31 is gzip.
    """

    def __init__(self, wbits: int = 31) -> None:
        self._wbits = wbits
        self._member = zlib.decompressobj(wbits)

    def feed(self, packed: bytes) -> Iterator[bytes]:
        """Unpack what came, in blocks of a mebibyte at the most.

        Raises:
            zlib.error: it is damaged.
        """
        for start in range(0, len(packed), _SLICE_BYTES):
            yield from self._feed(packed[start : start + _SLICE_BYTES])

    def end(self) -> None:
        """See that what came is whole.

        Raises:
            EOFError: it is not.
        """
        if not self._member.eof:
            raise EOFError("it is truncated")

    def _feed(self, packed: bytes) -> Iterator[bytes]:
        block = b""
        while packed or block:
            if self._member.eof:
                packed = packed.lstrip(b"\0")  # what pads a file to whole blocks, which gzip skips as well
                if not packed:
                    return
                self._member = zlib.decompressobj(self._wbits)
            block = self._member.decompress(packed, _BLOCK_BYTES)
            yield block
            packed = self._member.unused_data if self._member.eof else self._member.unconsumed_tail
