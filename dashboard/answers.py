"""Answers that are kept while the lake stands still, within a bound: viewers may ask for ever new texts and windows.

And what is raised where there is none.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Hashable
from typing import Any

import pandas as pd

from fleetcrash.attribution.impact import Impact

# A page asks for up to thirty: a hundred viewers who each look at something else do not push out one another's answers.
# Fewer than they ask for in turn would be as bad as none.
MOST = 4000

# Only tables of a large fleet's hosts come near it: a million of them take some 100 MiB.
MOST_BYTES = 512 << 20


class QueryFailed(RuntimeError):
    """A question could not be answered; the log has the cause."""

    def __init__(self, question: str, cause: BaseException) -> None:
        super().__init__(f"{question}: {' '.join(str(cause).split())[:200]}")
        self.question = question


class Answers:
    """What was answered, by what was asked. Beyond a bound those go that were not asked for the longest time.

    Any thread may ask; no call waits for more than another of these.

    Args:
        most: how many are kept. most_bytes: of those that tell their size; the newest stays however large it is.
    """

    def __init__(self, most: int = MOST, most_bytes: int = MOST_BYTES) -> None:
        self._most = most
        self._most_bytes = most_bytes
        self._lock = threading.Lock()
        self._kept: OrderedDict[Hashable, tuple[Any, int]] = OrderedDict()  # with its bytes; last asked for comes last
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._kept)

    def get(self, asked: Hashable, otherwise: Any = None) -> Any:
        """The answer, or else what is given."""
        with self._lock:
            found = self._kept.get(asked)
            if found is None:
                return otherwise
            self._kept.move_to_end(asked)
            return found[0]

    def keep(self, asked: Hashable, answer: Any) -> None:
        """Keep an answer, and let go of others where there are too many."""
        size_bytes = _bytes_of(answer)
        with self._lock:
            self._bytes += size_bytes - self._kept.pop(asked, (None, 0))[1]
            self._kept[asked] = (answer, size_bytes)
            while len(self._kept) > 1 and (len(self._kept) > self._most or self._bytes > self._most_bytes):
                self._bytes -= self._kept.popitem(last=False)[1][1]

    def clear(self) -> None:
        """Let go of all."""
        with self._lock:
            self._kept.clear()
            self._bytes = 0


def _bytes_of(answer: object) -> int:
    """How much an answer takes, where it can be large; figures and counts are small, and bounded by their number."""
    if isinstance(answer, pd.DataFrame):
        return int(answer.memory_usage(deep=True).sum())
    if isinstance(answer, Impact):
        return int(answer.hosts.nbytes)
    return len(answer) if isinstance(answer, bytes | str) else 0


def frozen(value: Any) -> Hashable:
    """A parameter of a question as a part of what was asked."""
    return tuple(value) if isinstance(value, list) else value
