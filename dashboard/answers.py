"""Answers that are kept while the lake does not change, within a bound, as viewers may ask for ever new filters.

Also the error of a question without an answer.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Hashable
from typing import Any

import pandas as pd
import pyarrow as pa

from fleetcrash.attribution.reporting.impact import Impact

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
    """A cache of answers by question, of bounded size. The least recently used are dropped first.

    Any thread may use it; calls wait only for one another.

    Args:
        most: number of answers. most_bytes: bytes of those that can be large; the newest stays whatever its size.
    """

    def __init__(self, most: int = MOST, most_bytes: int = MOST_BYTES) -> None:
        self._most = most
        self._most_bytes = most_bytes
        self._lock = threading.Lock()
        self._kept: OrderedDict[Hashable, tuple[Any, int]] = OrderedDict()  # with its bytes; the latest used is last
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._kept)

    def get(self, asked: Hashable, otherwise: Any = None) -> Any:
        """The answer, or ``otherwise``."""
        with self._lock:
            found = self._kept.get(asked)
            if found is None:
                return otherwise
            self._kept.move_to_end(asked)
            return found[0]

    def keep(self, asked: Hashable, answer: Any) -> None:
        """Keep an answer, and drop others if there are too many."""
        size_bytes = _bytes_of(answer)
        with self._lock:
            self._bytes += size_bytes - self._kept.pop(asked, (None, 0))[1]
            self._kept[asked] = (answer, size_bytes)
            while len(self._kept) > 1 and (len(self._kept) > self._most or self._bytes > self._most_bytes):
                self._bytes -= self._kept.popitem(last=False)[1][1]

    def clear(self) -> None:
        """Drop all answers."""
        with self._lock:
            self._kept.clear()
            self._bytes = 0


def _bytes_of(answer: object) -> int:
    """Bytes of an answer that can be large; 0 for figures and counts, whose number bounds them well enough."""
    if isinstance(answer, pd.DataFrame):
        return int(answer.memory_usage(deep=True).sum())
    if isinstance(answer, Impact):
        return int(answer.hosts.nbytes)
    if isinstance(answer, pa.Table):
        return int(answer.nbytes)
    return len(answer) if isinstance(answer, bytes | str) else 0


def frozen(value: Any) -> Hashable:
    """A parameter of a question in hashable form."""
    return tuple(value) if isinstance(value, list) else value
