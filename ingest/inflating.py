"""gzip and deflate, unpacked as they arrive, so that truncated data is kept up to its end."""

from __future__ import annotations

import zlib
from collections.abc import Iterator

_BLOCK_BYTES = 1 << 20
# How much zlib gets at a time: where a member ends it copies all that follows, and members may be twenty bytes long.
_SLICE_BYTES = 1 << 14


class Inflater:
    """gzip (with one or several members) or deflate, unpacked as it arrives.

    Args:
        wbits: the container format, as in zlib; 31 is gzip.
    """

    def __init__(self, wbits: int = 31) -> None:
        self._wbits = wbits
        self._member = zlib.decompressobj(wbits)

    def feed(self, packed: bytes) -> Iterator[bytes]:
        """Unpack some bytes, in blocks of at most 1 MiB.

        Raises:
            zlib.error: it is damaged.
        """
        for start in range(0, len(packed), _SLICE_BYTES):
            yield from self._feed(packed[start : start + _SLICE_BYTES])

    def end(self) -> None:
        """Check that the data is complete.

        Raises:
            EOFError: it is not.
        """
        if not self._member.eof:
            raise EOFError("it is truncated")

    def _feed(self, packed: bytes) -> Iterator[bytes]:
        block = b""
        while packed or block:
            if self._member.eof:
                packed = packed.lstrip(b"\0")  # padding to whole blocks, which gzip skips as well
                if not packed:
                    return
                self._member = zlib.decompressobj(self._wbits)
            block = self._member.decompress(packed, _BLOCK_BYTES)
            yield block
            packed = self._member.unused_data if self._member.eof else self._member.unconsumed_tail
