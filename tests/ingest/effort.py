"""A bound on what a reading costs, as a ratio to work that is done beside it: how fast a machine is, and what else it
does, is then no reason to fail.
"""

from __future__ import annotations

import gc
import re
from collections.abc import Callable
from time import process_time

_LINES = "an ordinary line of some forty characters\n" * 2_000
_LINE = re.compile(r"(?m)^an (\w+) line of (\w+) forty [a-z]+s$")
_ATTEMPTS = 5  # a neighbour that is busy now is no fault; a pattern that tries every way costs as much each time


def costs_at_most(yards: float, work: Callable[[], object]) -> None:
    """Fail where ``work`` takes more CPU time than so many yards, of some ten milliseconds of easy matching each."""
    cost = float("inf")
    for _ in range(_ATTEMPTS):
        yard = 5 * _seconds_of(_a_fifth)
        cost = min(cost, _seconds_of(work) / yard)
        if cost <= yards:
            return
    raise AssertionError(f"it costs {cost:.1f} yards, and {yards:g} are allowed")


def _a_fifth() -> None:
    for _ in range(5):
        assert len(_LINE.findall(_LINES)) == 2_000


def _seconds_of(work: Callable[[], object]) -> float:
    """CPU time, without that of a garbage collector that happens to come by."""
    collects = gc.isenabled()
    gc.disable()
    try:
        began = process_time()
        work()
        return process_time() - began
    finally:
        if collects:
            gc.enable()
