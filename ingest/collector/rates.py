"""Rate limits of senders, in records a second: a budget that fills with time and is spent by records, and
by the items of a bulk, each of which is answered.

A body is taken while there is budget for one record, even if it has more; the debt is paid by time. So no batch is too
large for a rate, and over time a sender brings no more than its rate and one body.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable

from ingest.collector.refusal import Refusal

# How much a sender that was quiet may bring at once: a second's worth. One that posts evenly never exceeds its rate.
BURST_S = 1.0


class Rates:
    """The budgets of all senders, in memory. For one thread.

    Args:
        default: records a second of a sender without a rate of its own; None: unlimited.
        clock: monotonic seconds.
    """

    def __init__(self, default: float | None = None, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._default = default
        self._clock = clock
        self._budgets: dict[str, tuple[float, float]] = {}  # records, and the time of that state

    def check(self, sender: str, rate: float | None) -> None:
        """Check that a sender may bring something.

        Raises:
            Refusal: it has brought too much.
        """
        rate = self._default if rate is None else rate
        if rate is None:
            return
        budget = self._budget(sender, rate)
        if budget < 1:
            wait_s = math.ceil((1 - budget) / rate)
            said = f"More than {rate:g} records a second came with this token. Nothing of this request was kept."
            raise Refusal(429, "rate_limited", said, {"Retry-After": str(wait_s)})

    def spend(self, sender: str, rate: float | None, records: int) -> None:
        """Count what a sender brings; a negative number returns what was not kept."""
        rate = self._default if rate is None else rate
        if rate is not None:
            self._budgets[sender] = (self._budget(sender, rate) - records, self._clock())

    def _budget(self, sender: str, rate: float) -> float:
        most = max(rate * BURST_S, 1.0)
        budget, since = self._budgets.get(sender, (most, 0.0))
        return min(budget + (self._clock() - since) * rate, most)
