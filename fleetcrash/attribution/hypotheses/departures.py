"""Departures: hosts that leave soon after they got an update, more often than hosts beside them that did not.

A laptop that falls silent may have been closed, so its silence by itself is no news; only a server's is. But people do
not close their laptops because of an update: of all that leave at a moment, those that just got it should be no more
than their share of the hosts online. The test is conditional, as for crashes; there is no baseline, because whole
offices leave at five. Hosts that just came online install what they missed and may soon leave again, so the share is
taken among hosts as long online, and an update has to more than double the rate before anything counts against it.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from fleetcrash.arrays import Floats, Ints
from fleetcrash.attribution.evidence import log_mean_exp
from fleetcrash.attribution.expected.baseline import LAG_MINUTES
from fleetcrash.attribution.facts import exposure
from fleetcrash.attribution.facts.answers import LeftAt
from fleetcrash.attribution.facts.cursor import Cursor
from fleetcrash.attribution.facts.exposure import BOOT_MINUTES, BOOTS, KEPT_MINUTES, HostTime, grown
from fleetcrash.attribution.facts.minute_counts import MinuteCounts
from fleetcrash.attribution.facts.news import News
from fleetcrash.attribution.hypotheses.suspects import LOG_THRESHOLD
from fleetcrash.counts import clearly_more

AGES = 3  # of an install at the departure: under two minutes, under ten, under an hour
# Not longer: how long hosts stay online depends on how long they have been, which is told but coarsely.
WINDOWS = AGES + len(BOOT_MINUTES)
"""Hosts that left are counted by the age of the install and, once more, by that of a boot since: as exposure is."""
_OF_EXPOSED = np.array([*range(AGES), *range(exposure.AGES, exposure.WINDOWS)])  # which of its ages they are
_FAMILY = np.arange(WINDOWS) >= AGES
_ALIKE = _FAMILY[:, None] == _FAMILY  # ages of the install, or ages of a boot since
_EARLIER = np.triu(_ALIKE).astype(float)
_JUST_BEFORE = (np.eye(WINDOWS, k=1) * _ALIKE).astype(float)
HARMLESS_RATIO = 2.0
RATIOS = np.array([4.0, 8.0, 16.0, 64.0])
"""How much more often hosts may leave than those beside them, a harmless update at most and a guilty one."""

LEAST_HOSTS = 10
_MOST_AT_A_PLACE = 0.5


@dataclass
class _Account:
    """What is counted for one update.

    Attributes:
        hits: (WINDOWS, cells) hosts that left with it, by age of the install and of a boot since.
        expected: (WINDOWS, strata x BOOTS) how many it would be if they left as often as the hosts beside them.
        log_penalty: (WINDOWS, RATIOS + 1) sum over all departures of log(1 + (r - 1) p), p the share of the hosts that
            had an install, or a boot since, younger than each age; the last ratio is the harmless one.
        left: (LAG_MINUTES, strata x BOOTS, WINDOWS) hits in each minute, modulo, in which they were still held to be
            online.
        now: (2, WINDOWS) hits, and expected, of all cells.
        lately: (LAG_MINUTES + 1, 2, WINDOWS) what ``now`` was at each of the last ticks, modulo.
        changed_tick: the last tick that brought a change.
    """

    hits: Floats
    expected: Floats
    left: Floats
    log_penalty: Floats = field(default_factory=lambda: np.zeros((WINDOWS, len(RATIOS) + 1)))
    now: Floats = field(default_factory=lambda: np.zeros((2, WINDOWS)))
    lately: Floats = field(default_factory=lambda: np.zeros((LAG_MINUTES + 1, 2, WINDOWS)))
    changed_tick: int = 0

    def is_idle(self, tick: int) -> bool:
        """Whether the last hour brought nothing, so that it is at its end in ``left`` and ``lately`` as well."""
        return tick - self.changed_tick > len(self.lately)

    def has_enough(self) -> bool:
        """Whether enough hosts have left for anything to be said."""
        return bool(_within(self.now[0]).max() >= LEAST_HOSTS)


class Departures:
    """Departures and what is expected of them, by update, advanced tick by tick."""

    def __init__(self, news: News) -> None:
        self._accounts: dict[int, _Account] = {}
        # Those that are not idle: a few of the hundreds that there are after a month.
        self._lively: dict[int, _Account] = {}
        # Hosts that had left and were still held to be online, by minute, modulo, and stratum x BOOTS.
        self._left = np.zeros((LAG_MINUTES, 0))
        self._first_minute = news.first_tick  # who was online before is not counted: who left then had nobody beside
        self.extend(news)

    def extend(self, news: News) -> None:
        """Go on with later news: the same cells and updates in the same order, and perhaps more of each."""
        self._news = news
        self._stratum = news.strata
        self._rows = (int(self._stratum.max()) + 1) * BOOTS
        self._left = grown(self._left, 1, self._rows)
        self._taken, self._taken_with = Cursor(news.left.tick), Cursor(news.left_with.tick)
        for account in self._accounts.values():
            account.hits = grown(account.hits, 1, len(news.cells))
            account.expected = grown(account.expected, 1, self._rows)
            account.left = grown(account.left, 1, self._rows)

    def advance(self, tick: int, time: HostTime) -> None:
        """Take in who was known by the tick to have left.

        Args:
            time: advanced to the same tick.
        """
        for update in [update for update, one in self._lively.items() if one.is_idle(tick)]:
            idle = self._lively.pop(update)
            idle.left = np.zeros(idle.left.shape)  # all of it is zero; what nobody writes to takes no memory
        for kept in (self._left, *(account.left for account in self._lively.values())):
            kept[tick % LAG_MINUTES] = 0.0
        self._count_with(tick)
        rows = self._news.left
        taken = self._that_count(self._taken.take(tick), rows.minute)
        if len(taken):
            row = self._stratum[rows.cell[taken]] * BOOTS + rows.since_boot[taken]
            which, unknown = _until_known(rows.minute[taken], tick)
            np.add.at(self._left, (unknown, row[which]), rows.hosts[taken][which].astype(float))
            self._charge(rows.minute[taken], row, rows.hosts[taken], tick, time)
        for account in self._lively.values():
            account.lately[tick % len(account.lately)] = account.now

    def _that_count(self, taken: slice, minute: Ints) -> Ints:
        """Those of some rows in whose minutes (rows,) it is known who else was online."""
        return taken.start + np.flatnonzero(minute[taken] >= self._first_minute)

    def _count_with(self, tick: int) -> None:
        rows = self._news.left_with
        taken = self._that_count(self._taken_with.take(tick), rows.minute)
        for update in np.unique(rows.update[taken]).tolist():
            own = taken[rows.update[taken] == update]
            account, hosts = self._changed(update, tick), rows.hosts[own].astype(float)
            np.add.at(account.hits, (rows.age[own], rows.cell[own]), hosts)
            np.add.at(account.now[0], rows.age[own], hosts)
            row = self._stratum[rows.cell[own]] * BOOTS + rows.since_boot[own]
            which, unknown = _until_known(rows.minute[own], tick)
            np.add.at(account.left, (unknown, row[which], rows.age[own][which]), hosts[which])

    def _charge(self, minute: Ints, row: Ints, hosts: Ints, tick: int, time: HostTime) -> None:
        """Charge every update for those who left, whether they had it or not."""
        keys, inverse = np.unique(minute * self._rows + row, return_inverse=True)
        left = np.bincount(inverse, hosts)
        minute, row = np.divmod(keys, self._rows)
        for update, of_update in time.by_update.items():
            if of_update.lately is None:
                continue
            # Installs age within the minute, so the larger share of the two between which the hosts left.
            share = self._share(update, of_update.lately, np.stack([minute, minute - 1]), row, time).max(0)
            if not share.any():
                continue
            account = self._changed(update, tick)
            account.log_penalty += np.einsum("n,nar->ar", left, log_charge(share))
            expected = _by_age(share) * left[:, None]
            np.add.at(account.expected.T, row, expected)
            account.now[1] += expected.sum(0)

    def _share(self, update: int, lately: MinuteCounts, minute: Ints, row: Ints, time: HostTime) -> Floats:
        """(2, n, WINDOWS) share of those that could leave, at each minute and row, that had it for less than each age.

        Args:
            minute: (2, n). row: (n,).
        """
        exposed = _within(lately.at(minute, row)[..., _OF_EXPOSED].astype(float))
        if not exposed.any():
            return np.zeros(exposed.shape)
        # Who left counts as online until that is known, but cannot leave again.
        online = time.online_lately[minute % KEPT_MINUTES, row] - self._left[minute % LAG_MINUTES, row]
        if update in self._lively:
            exposed = exposed - _within(self._lively[update].left[minute % LAG_MINUTES, row])
        exposed = np.maximum(exposed, 0.0)
        for family in (exposed[..., :AGES], exposed[..., AGES:]):
            np.maximum.accumulate(family, axis=-1, out=family)  # those that left have grown older since
        return exposed / np.maximum(np.maximum(online[..., None], exposed), 1.0)

    def _account(self, update: int) -> _Account:
        if update not in self._accounts:
            self._accounts[update] = _Account(
                hits=np.zeros((WINDOWS, len(self._news.cells))),
                expected=np.zeros((WINDOWS, self._rows)),
                left=np.zeros((LAG_MINUTES, self._rows, WINDOWS)),
            )
        return self._accounts[update]

    def _changed(self, update: int, tick: int) -> _Account:
        """The account of an update, which is about to change."""
        account = self._lively[update] = self._account(update)
        account.changed_tick = tick
        return account

    def log_test(self, update: int) -> float:
        """Log of the sequential test that the update more than doubles the rate at which hosts leave."""
        account = self._accounts.get(update)
        return -np.inf if account is None else log_excess(account.now[0], account.log_penalty)

    def by_age(self, updates: Ints) -> Floats:
        """(U, AGES) hosts that left with each of some updates, by the age of the install."""
        left = np.zeros((len(updates), AGES))
        for row, update in enumerate(updates.tolist()):
            if update in self._accounts:
                left[row] = self._accounts[update].now[0, :AGES]
        return left

    def counts(self, update: int) -> tuple[float, float]:
        """Hosts that left soon after the install, and how many were to be expected; as soon as shows most."""
        account = self._accounts.get(update)
        if account is None:
            return 0.0, 0.0
        hits, expected = _within(account.now)
        age = int(np.argmax((hits - expected) / np.sqrt(expected + 1.0)))
        return float(hits[age]), float(expected[age])

    def is_raised(self, update: int, tick: int) -> bool:
        """Whether in the last hour clearly more of its hosts left than twice those that the others' rate explains."""
        account = self._lively.get(update)
        if account is None:
            return False
        hits, expected = _within(account.now - account.lately[(tick - LAG_MINUTES) % len(account.lately)])
        mean = HARMLESS_RATIO * expected
        return bool(clearly_more(hits, mean).any())

    def updates(self) -> set[int]:
        """Updates with which enough hosts have left for anything to be said."""
        return {update for update, account in self._accounts.items() if account.has_enough()}

    def leading(self, tick: int) -> int | None:
        """The update that most is said against, where its test has passed and its hosts still leave; else None."""
        raised = [update for update, one in self._lively.items() if one.has_enough() and self.is_raised(update, tick)]
        of_each = {update: self.log_test(update) for update in raised}
        update = max(of_each, key=lambda one: (of_each[one], one), default=None)
        return None if update is None or of_each[update] < LOG_THRESHOLD else update

    def by_cell(self, update: int, time: HostTime, tick: int) -> tuple[Floats, Floats]:
        """(K, cells) hosts that left and how many were to be expected of each cell.

        By the age of the install or by that of a boot since, whichever says more.
        """
        account = self._account(update)
        excess = log_mean_exp(_by_ratio(account.now[0], account.log_penalty), axis=1)
        own = slice(AGES) if int(np.argmax(excess)) < AGES else slice(AGES, None)
        minutes = np.maximum(time.by_update[update].host_minutes(tick)[:, :, _OF_EXPOSED[own]], 0.0)
        row = self._stratum[:, None] * BOOTS + np.arange(BOOTS)
        total = np.zeros((self._rows, minutes.shape[2]))
        np.add.at(total, row, minutes)
        part = np.divide(minutes, total[row], out=np.zeros_like(minutes), where=total[row] > 0)
        return account.hits[own], np.einsum("cba,acb->ac", part, account.expected[own][:, row])


def log_excess(hits: Floats, log_penalty: Floats) -> float:
    """Log of an e-value against "hosts with the update leave at most HARMLESS_RATIO times as often as the others".

    Args:
        hits: (WINDOWS,) hosts that left with it. log_penalty: (WINDOWS, RATIOS + 1) see ``_Account``.
    Source: partial likelihood of Cox (1972), averaged over ratios and ages. Its ratio of a larger to the harmless one
        has a mean of at most one under any ratio that is no larger than that.
    """
    return float(log_mean_exp(_by_ratio(hits, log_penalty), axis=(0, 1)))


def _by_ratio(hits: Floats, log_penalty: Floats) -> Floats:
    within = _within(hits)[:, None]
    return within * np.log(RATIOS / HARMLESS_RATIO) - (log_penalty[:, :-1] - log_penalty[:, -1:])


def _until_known(minute: Ints, tick: int) -> tuple[Ints, Ints]:
    """The minutes, modulo, in which those that left in some minutes (n,) were held to be online: until the tick.

    Returns:
        (m,) which of the n, and (m,) in which minute.
    """
    first = np.maximum(minute + 1, tick - LAG_MINUTES + 1)
    minutes = np.maximum(tick - first, 0)
    which = np.repeat(np.arange(len(minute)), minutes)
    return which, (np.arange(minutes.sum()) - np.repeat(np.cumsum(minutes) - minutes - first, minutes)) % LAG_MINUTES


def _within(counts: Floats) -> Floats:
    """(..., WINDOWS) what came within each time after the install and a boot since, from what came at each age."""
    return counts @ _EARLIER


def _by_age(within: Floats) -> Floats:
    """The reverse of ``_within``."""
    return within - within @ _JUST_BEFORE


def log_charge(share: Floats) -> Floats:
    """(..., RATIOS + 1) what one departure adds to the penalty, at a share (...) of the hosts that had the update."""
    return np.log1p((np.append(RATIOS, HARMLESS_RATIO) - 1.0) * share[..., None])


def at_one_place(left: LeftAt, tick: int) -> bool:
    """Whether most hosts that left with an update stood at one group, site or customer, and few of the others did.

    A site that loses its network takes with it whoever got an update there.
    """
    known = left.tick <= tick
    for dimension in np.unique(left.dimension[known].astype(str)).tolist():
        own = known & (left.dimension == dimension)
        places, number = np.unique(left.place[own].astype(str), return_inverse=True)
        with_update = np.bincount(number, left.with_update[own], len(places))
        others = np.bincount(number, left.hosts[own] - left.with_update[own], len(places))
        share = with_update / max(with_update.sum(), 1.0)
        usual = others / max(others.sum(), 1.0)
        if ((share > _MOST_AT_A_PLACE) & (share > 2.0 * usual)).any():
            return True
    return False
