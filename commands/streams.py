"""The streams that a command prints to: closed, full, left by their reader, or of an encoding that lacks letters."""

from __future__ import annotations

import io
import os
import sys
from typing import Any


def prepare() -> None:
    """Make stdout and stderr fit for whatever a shell made of them, before anything else is opened."""
    _open_what_is_closed()
    let_be_lost("stderr")
    if isinstance(sys.stdout, io.TextIOWrapper):
        # Letters that the output's encoding lacks, as where a locale is none of UTF-8, end no command.
        sys.stdout.reconfigure(errors="backslashreplace")  # as Python has it for stderr


def let_be_lost(name: str) -> None:
    """Let what is said beside an answer end no command, and change no status, where it cannot be written.

    Args:
        name: stdout or stderr.
    """
    stream = getattr(sys, name)
    if type(stream) is io.TextIOWrapper:
        lossy = io.BufferedWriter(_Lossy(stream))
        setattr(sys, name, io.TextIOWrapper(lossy, stream.encoding, "backslashreplace", line_buffering=True))


def why_unwritable() -> str | None:
    """What keeps stdout from being written, such as a full disk; None: nothing does."""
    try:
        print(flush=True)  # without a buffer nothing is left to flush
    except OSError as error:
        return error.strerror
    return None


def say_no_more() -> None:
    """Drop what is printed on stdout from here on; Python would complain once more while it flushes at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _open_what_is_closed() -> None:
    """Give what is printed a place to go where a shell closed it (``>&-``), before a file of ours has its number."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115 - for as long as we run


class _Lossy(io.FileIO):
    """Drops what cannot be written, such as to a log whose disk is full."""

    def __init__(self, stream: io.TextIOWrapper) -> None:
        super().__init__(stream.fileno(), "wb", closefd=False)
        self._owner = stream  # which would close the file once nobody has it

    def write(self, data: Any) -> int:
        try:
            return super().write(data)
        except OSError:
            return memoryview(data).nbytes
