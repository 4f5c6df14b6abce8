"""A courier: sends one receiver its messages from the outbox, again and again until it has them."""

from __future__ import annotations

import logging
import random
import threading
from collections.abc import Callable

from monitor.alerts.outbox import Due, Outbox
from monitor.alerts.receivers import Outcome, Receiver, Result
from monitor.metrics import Metrics

LOG = logging.getLogger("fleetcrash.alerts")

FIRST_PAUSE_S = 1.0
LONGEST_PAUSE_S = 300.0
_GLANCE_S = 1.0  # another process may have added a silence or ended one
_AFTER_A_FAULT_S = 10.0


class Courier:
    """Serves one receiver. ``step`` does one thing; ``run`` goes on until it is stopped.

    Args:
        clock: seconds since 1970.
        chance: returns a random number from 0 to 1, which spreads the tries of many couriers.
        metrics: counts tries; None: they are not counted.
    """

    def __init__(
        self,
        outbox: Outbox,
        receiver: Receiver,
        *,
        clock: Callable[[], float],
        chance: Callable[[], float] = random.random,
        metrics: Metrics | None = None,
    ) -> None:
        self._outbox = outbox
        self._receiver = receiver
        self._clock = clock
        self._chance = chance
        self._metrics = metrics or Metrics()
        self._said = ""

    def step(self) -> bool:
        """Send a message if one is due. Returns whether another may be due.

        Raises:
            sqlite3.Error: the outbox cannot be read or written.
        """
        name = self._receiver.name
        due = self._outbox.due(name, self._clock(), repeat_s=self._receiver.repeat_s)
        if due is None:
            return False
        outcome = self._receiver.send(due.message, self._clock())
        self._metrics.sent(name, outcome.result.value)
        now = self._clock()
        if outcome.result is Result.DELIVERED:
            self._outbox.delivered(name, due.message, now)
        elif outcome.result is Result.DOWN:
            next_at = now + self._pause_s(self._outbox.tries(name), outcome)
            self._outbox.down(name, outcome.reason, now=now, next_at=next_at)
        else:
            next_at = now + self._pause_s(due.tries, outcome)
            self._outbox.refused(name, due.message, outcome.reason, now=now, next_at=next_at)
        self._log(due, outcome)
        return outcome.result is not Result.DOWN

    def run(self, stop: threading.Event) -> None:
        """Serve until stopped; a fault of ours is logged, and the work is tried again."""
        while not stop.is_set():
            try:
                if not self.step():
                    stop.wait(_GLANCE_S)
            except Exception:
                LOG.exception("alerts to %s: a fault of ours; it is tried again", self._receiver.name)
                stop.wait(_AFTER_A_FAULT_S)

    def _pause_s(self, tries: int, outcome: Outcome) -> float:
        """How long to wait after a failure: as asked by the receiver, else doubling, minus up to half at random."""
        pause_s = min(FIRST_PAUSE_S * 2.0 ** min(tries, 20), LONGEST_PAUSE_S) * (1.0 - self._chance() / 2.0)
        return max(pause_s, outcome.retry_after_s or 0.0)

    def _log(self, due: Due, outcome: Outcome) -> None:
        """Log only changes, not each try with a receiver that is down all night."""
        if outcome.result is Result.DELIVERED:
            if not due.again:
                LOG.info("alert %s %s: delivered to %s", due.message.alert, due.message.event, self._receiver.name)
            said = ""
        else:
            said = f"{due.message.alert} {outcome.reason}"
            if said != self._said:
                LOG.warning("alert %s: not delivered to %s, which is tried again: %s",
                            due.message.alert, self._receiver.name, outcome.reason)  # fmt: skip
        self._said = said
