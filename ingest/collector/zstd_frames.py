"""zstd, unpacked as it arrives: whole frames at a time, as Arrow's stream loses what precedes a place where it waits.

Senders of streams end a frame with each piece (systemd-journal-upload one of 64 KiB at the most). Source: RFC 8878.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pyarrow as pa

from ingest.formats.crashes import too_much

_MOST_FRAME_BYTES = 8 << 20  # packed, as it must have come as a whole
_MOST_WINDOW_BYTES = 8 << 20  # which RFC 9659 wants of whoever unpacks, and allows to whoever sends
_BLOCK_BYTES = 1 << 20
_FRAME, _SKIPPED = 0xFD2FB528, 0x184D2A50
_HEAD_BYTES = 18  # of the longest
_DICTIONARY_BYTES, _SIZE_BYTES = (0, 1, 2, 4), (0, 2, 4, 8)
_REPEATED, _RESERVED = 1, 3


class ZstdFrames:
    """Frames of zstd as they arrive.

    Args:
        hold: takes memory, and raises where there is none left. What one frame needed serves for the next.
    """

    def __init__(self, hold: Callable[[int], None]) -> None:
        self._hold = hold
        self._taken_bytes = 0
        self._held = bytearray()  # from the begin of a frame
        self._at = 0  # of the next block or frame, which may be yet to come
        self._whole = 0  # end of the last whole frame
        self._is_within = self._has_sum = self._has_begun = False
        self._window_bytes = 0

    def feed(self, packed: bytes) -> Iterator[bytes]:
        """Unpack the frames that are whole by now, in blocks of at most 1 MiB.

        Raises:
            OSError, pyarrow.ArrowException: it is damaged.
            Unfit: a frame is too large, or wants too much memory.
        """
        self._held += packed
        while self._at <= len(self._held):
            if not self._is_within:
                self._whole = self._at
            if not (self._block() if self._is_within else self._head()):
                break
        if max(self._at, len(self._held)) - self._whole > _MOST_FRAME_BYTES:
            raise too_much("A frame of zstd has", _MOST_FRAME_BYTES, "bytes, packed")
        self._need(2 * len(self._held) + self._window_bytes)
        if self._whole:
            frames = bytes(self._held[: self._whole])
            del self._held[: self._whole]
            self._at -= self._whole
            self._whole = 0
            with pa.CompressedInputStream(pa.BufferReader(frames), "zstd") as stream:
                yield from iter(lambda: stream.read(_BLOCK_BYTES), b"")

    def end(self) -> None:
        """Check that the data is complete.

        Raises:
            EOFError: it is not.
        """
        if self._held or not self._has_begun:
            raise EOFError("it is truncated")

    def _need(self, size_bytes: int) -> None:
        if size_bytes > self._taken_bytes:
            self._hold(size_bytes - self._taken_bytes)
            self._taken_bytes = size_bytes

    def _head(self) -> bool:
        """Go behind the head of a frame, or a frame to skip. Returns False if more must come first."""
        head = bytes(self._held[self._at : self._at + _HEAD_BYTES])
        kind = int.from_bytes(head[:4], "little")
        if len(head) < 4:
            return False
        self._has_begun = True
        if kind & ~15 == _SKIPPED:
            if len(head) >= 8:
                self._at += 8 + int.from_bytes(head[4:8], "little")
            return len(head) >= 8
        if kind != _FRAME:
            raise OSError("no frame begins where one should")
        if len(head) < 5:
            return False
        how = head[4]
        is_single = bool(how & 0x20)  # so that the window is as large as all that is within
        size_bytes = _SIZE_BYTES[how >> 6] or int(is_single)
        size_at = 5 + (not is_single) + _DICTIONARY_BYTES[how & 3]
        if len(head) < size_at + size_bytes:
            return False
        if is_single:
            window_bytes = int.from_bytes(head[size_at : size_at + size_bytes], "little") + 256 * (size_bytes == 2)
        else:
            least_bytes = 1 << (10 + (head[5] >> 3))
            window_bytes = least_bytes + (least_bytes >> 3) * (head[5] & 7)
        if window_bytes > _MOST_WINDOW_BYTES:
            raise too_much("A frame of zstd wants a window of", _MOST_WINDOW_BYTES, "bytes")
        self._window_bytes = max(window_bytes, self._window_bytes)
        self._is_within, self._has_sum = True, bool(how & 4)
        self._at += size_at + size_bytes
        return True

    def _block(self) -> bool:
        """Go behind a block. Returns False if more must come first."""
        if len(self._held) < self._at + 3:
            return False
        told = int.from_bytes(self._held[self._at : self._at + 3], "little")
        is_last, kind, size_bytes = told & 1, told >> 1 & 3, told >> 3
        if kind == _RESERVED:
            raise OSError("a block is of no known kind")
        self._at += 3 + (1 if kind == _REPEATED else size_bytes)
        if is_last:
            self._is_within = False
            self._at += 4 * self._has_sum
        return True
