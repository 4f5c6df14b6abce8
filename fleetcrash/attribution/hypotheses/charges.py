"""Charges: what each update pays for every event in the conditional test, whether its hosts had it or not.

By the share of the hosts at risk that had the update then; an event of a host that had it counts for it, beyond that.
Where installs are told so late that this was another share than was known then, all is charged anew: else hosts that
told of theirs after others had crashed would be struck more often than they were to be.
"""

from __future__ import annotations

from collections.abc import Set

import numpy as np
from numpy.typing import NDArray

from fleetcrash.arrays import Floats, Ints, Mask
from fleetcrash.attribution.evidence import TEST_RATIOS
from fleetcrash.attribution.expected.baseline import OUTCOMES
from fleetcrash.attribution.expected.slices import Slices
from fleetcrash.attribution.facts.exposure import KEPT_MINUTES, WINDOWS, HostTime
from fleetcrash.attribution.facts.news import News

_TOLD_ANEW = 0.1  # of the installs; where fewer were told late since all was charged, it would change little


class Charges:
    """The charges of all updates, by outcome, window and slice of the conditional test, and ratio.

    Attributes:
        slices: (K,) which ones the conditional test tries, the whole fleet and each operating system.
    """

    def __init__(self) -> None:
        self._of_update: dict[int, Floats] = {}
        self._told_late: dict[int, float] = {}  # what ``UpdateTime.told_late`` was when all was charged
        self.slices = np.zeros(0, np.int64)

    def extend(self, news: News, slices: Slices, too_early: Mask, moved: Ints | None = None) -> None:
        """Go on with news, the first or later ones.

        Args:
            too_early: (events,) those that nobody is charged for.
            moved: (spots before,) where each spot is now; None: there were none.
        """
        before = self.slices
        parts = slices.slices
        self.slices = np.array([n for n, part in enumerate(parts) if part.key in ("all", "os_type")], np.int64)
        self._events, self._too_early = news.events, too_early
        self._members = slices.members[self.slices]
        if moved is not None:
            kept = np.searchsorted(self.slices, moved[before])
            for update, values in self._of_update.items():
                self._of_update[update] = self._none()
                self._of_update[update][:, :, kept] = values

    def of(self, updates: Ints) -> Floats:
        """(OUTCOMES, U, WINDOWS, K, ratios) sums of log(1 + (r - 1) p), p the share that had an update."""
        none = self._none()
        charges = np.array([self._of_update.get(update, none) for update in updates.tolist()])
        return charges.reshape(-1, *none.shape).swapaxes(0, 1)

    def charge(self, new: Ints, tick: int, time: HostTime) -> None:
        """Charge every update for the events that just became known.

        Args:
            new: their numbers. time: of the same tick.
        """
        new = new[(self._events.minute[new] > tick - KEPT_MINUTES) & ~self._too_early[new]]
        if not new.size:
            return
        self.charge_late(tick, time, time.by_update.keys())
        outcome, inside = self._cut(new)
        for update, of_update in time.by_update.items():
            if not of_update.is_idle:  # the share of nobody is no charge
                self._add(update, new, time, outcome, inside)

    def charge_late(self, tick: int, time: HostTime, updates: Set[int]) -> None:
        """Charge those that were not yet, or for too little, for the events since a host had them.

        Installs may be told after these.
        """
        for update in updates:
            if update in self._of_update and not self._is_behind(update, time):
                continue
            self._told_late[update] = time.by_update[update].told_late
            since = max(time.by_update[update].since_minute, tick - KEPT_MINUTES + 1)
            minute = self._events.minute[: int(np.searchsorted(self._events.tick, tick, side="left"))]
            known = np.flatnonzero((minute >= since) & ~self._too_early[: len(minute)])
            self._of_update[update] = self._none()
            self._add(update, known, time, *self._cut(known))

    def _is_behind(self, update: int, time: HostTime) -> bool:
        """Whether many installs were told late since an update was charged for all events."""
        of_update = time.by_update[update]
        return of_update.told_late - self._told_late[update] > _TOLD_ANEW * of_update.told

    def _none(self) -> Floats:
        return np.zeros((OUTCOMES, WINDOWS, len(self.slices), len(TEST_RATIOS)))

    def _cut(self, events: Ints) -> tuple[Floats, NDArray[np.float32]]:
        """(OUTCOMES, n) and (K, n) which outcome each of some events is, and in which slices."""
        outcome = np.stack([self._events.outcome[events] == number for number in range(OUTCOMES)]).astype(float)
        return outcome, self._members[:, self._events.cell[events]]

    def _add(self, update: int, events: Ints, time: HostTime, outcome: Floats, inside: NDArray[np.float32]) -> None:
        told = self._events
        share = time.risk_set(update, told.minute[events], told.cell[events], told.since_boot[events])
        share = np.nan_to_num(share, nan=1.0)  # beside nobody an event says nothing for an update
        terms = np.log1p((TEST_RATIOS - 1.0) * share[..., None])
        self._of_update[update] = self._of_update[update] + np.einsum("oe,ke,ear->oakr", outcome, inside, terms)
