"""What the commands share: exit statuses, JSON and CSV on stdout, progress on stderr."""

from __future__ import annotations

import csv
import json
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from enum import IntEnum
from types import TracebackType
from typing import Self

from fleetcrash.documents import JSON
from fleetcrash.spreadsheet import harmless
from fleetcrash.terminal import readable


class Exit(IntEnum):
    """Exit statuses that scripts may rely on.

    ``PARTLY``: done in part: some records were put aside, or some receiver did not get an alert.
    """

    DONE = 0
    PARTLY = 1
    BAD_USE = 2
    HOLD = 3
    HALT = 4
    OUR_FAULT = 5


# What each exit status means, for the help.
MEANINGS = {
    Exit.DONE: "done; of gate: go",
    Exit.PARTLY: "done in part: some records are quarantined, or a receiver has no alert",
    Exit.BAD_USE: "bad use, or something that could not be read",
    Exit.HOLD: "of gate: hold",
    Exit.HALT: "of gate: halt",
    Exit.OUR_FAULT: "a fault of ours",
}


def print_json(document: JSON) -> None:
    """Print one document on stdout."""
    print(json.dumps(document, indent=2, allow_nan=False))


def print_csv(rows: Iterable[Mapping[str, str | int | None]], columns: Sequence[str]) -> None:
    """Print a table as CSV on stdout, with formulas made harmless, and on a terminal control characters as well."""

    class Lines:
        def write(self, line: str) -> None:
            print(line.removesuffix("\r\n"))

    is_read_by_people = sys.stdout.isatty()
    writer = csv.writer(Lines(), lineterminator="\r\n")  # so that cells with either character are quoted
    writer.writerow(columns)
    for row in rows:
        cells = ["" if row[name] is None else harmless(str(row[name])) for name in columns]
        writer.writerow([readable(cell) for cell in cells] if is_read_by_people else cells)


class Progress:
    """A progress line on stderr, only on a terminal and after two seconds; leaving the context clears it."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._started = time.monotonic()
        self._shown = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        if self._shown:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)

    def __call__(self, done: int, total: int | None, *, records: int | None = None) -> None:
        """Show how far the work is.

        Args:
            done, total: in the same unit; total is None if unknown.
            records: done so far, to show a rate; None: no rate.
        """
        elapsed = time.monotonic() - self._started
        if elapsed < 2.0 or not sys.stderr.isatty():
            return
        part = f"{done / total:4.0%}, {elapsed * (total / max(done, 1) - 1):,.0f} s left" if total else f"{done:,}"
        if records is not None:
            part += f", {records:,} records, {records / elapsed:,.0f}/s"
        print(f"\r{self._what}: {part}\x1b[K", end="", file=sys.stderr, flush=True)
        self._shown = True
