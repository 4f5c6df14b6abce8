"""gzip, deflate and zstd, unpacked as they arrive, so that truncated data is kept up to its end."""

from __future__ import annotations

import sys
import zlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

# Exceptions raised while data is unpacked that is damaged, or not packed in this way.
DAMAGED = (EOFError, zlib.error, zstd.ZstdError)

_BLOCK_BYTES = 1 << 20
# How much is unpacked at a time: where a member ends all that follows is copied, and members may be twenty bytes long.
_SLICE_BYTES = 1 << 14
_MOST_WINDOW_BYTES = 128 << 20  # what zstd itself unpacks unasked
_HEAD_BYTES = 18  # of a frame of zstd, at the most


class Unpacker(ABC):
    """Packed data, unpacked as it arrives."""

    def feed(self, packed: bytes) -> Iterator[bytes]:
        """Unpack some bytes, in blocks of at most 1 MiB.

        Raises:
            zlib.error, zstd.ZstdError: it is damaged, or has a window that is too large.
        """
        for start in range(0, len(packed), _SLICE_BYTES):
            yield from self._feed(packed[start : start + _SLICE_BYTES])

    @abstractmethod
    def end(self) -> None:
        """Check that the data is complete.

        Raises:
            EOFError: it is not.
        """

    @abstractmethod
    def _feed(self, packed: bytes) -> Iterator[bytes]:
        """Unpack a slice."""


class Inflater(Unpacker):
    """gzip (with one or several members) or deflate, unpacked as it arrives.

    Args:
        wbits: the container format, as in zlib; 31 is gzip.
    """

    def __init__(self, wbits: int = 31) -> None:
        self._wbits = wbits
        self._member = zlib.decompressobj(wbits)

    def end(self) -> None:
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


class Unzstd(Unpacker):
    """zstd (one or several frames), unpacked as it arrives.

    Args:
        most_window_bytes: a power of two; a frame that looks further back is refused.
        hold: takes memory for the window, and raises where there is none left. What one frame needed serves the next.
    """

    def __init__(self, most_window_bytes: int = _MOST_WINDOW_BYTES, hold: Callable[[int], None] | None = None) -> None:
        self._most_window_bytes = most_window_bytes
        self._hold = hold
        self._held_bytes = 0
        self._begin = b""  # of a frame whose head has not come as a whole
        self._frame: zstd.ZstdDecompressor | None = None  # None before the first

    def end(self) -> None:
        if self._begin or self._frame is None or not self._frame.eof:
            raise EOFError("it is truncated")

    def _feed(self, packed: bytes) -> Iterator[bytes]:
        while packed:
            if self._frame is None or self._frame.eof:
                packed = self._begin + packed
                self._begin = b"" if self._takes_memory(packed) else packed
                if self._begin:
                    return
                most_log = self._most_window_bytes.bit_length() - 1
                self._frame = zstd.ZstdDecompressor(options={zstd.DecompressionParameter.window_log_max: most_log})
            yield self._frame.decompress(packed, _BLOCK_BYTES)
            while not (self._frame.eof or self._frame.needs_input):
                yield self._frame.decompress(b"", _BLOCK_BYTES)
            packed = self._frame.unused_data if self._frame.eof else b""

    def _takes_memory(self, packed: bytes) -> bool:
        """Take what a frame's window needs. Returns False if more of its head must come first."""
        need_bytes = 0
        try:  # the window is no larger than what is in the frame, which need not tell that
            need_bytes = zstd.get_frame_info(packed).decompressed_size or self._most_window_bytes
        except zstd.ZstdError:  # what is no frame at all is told by who unpacks it
            if len(packed) < _HEAD_BYTES:
                return False
        need_bytes = min(need_bytes, self._most_window_bytes)
        if self._hold is not None and need_bytes > self._held_bytes:
            self._hold(need_bytes - self._held_bytes)
            self._held_bytes = need_bytes
        return True


def unpacked(blocks: Iterable[bytes], unpacker: Unpacker) -> Iterator[bytes]:
    """What packed blocks hold, up to the damage where they are damaged.

    Raises:
        EOFError, zlib.error, zstd.ZstdError: see ``DAMAGED``.
    """
    for block in blocks:
        yield from unpacker.feed(block)
    unpacker.end()
