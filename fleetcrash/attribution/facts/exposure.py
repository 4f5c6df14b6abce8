"""Host-time: how many hosts could crash, and how many of them had an update, minute by minute.

The counts come as changes. Of each (cell, time since boot, age of the install) the host-minutes up to a tick t are
``t * sum(change) - sum(change * minute)``: no work per tick, and a change that became known late is counted back to
its own minute. Beside that the last day is kept minute by minute in coarse strata, for the risk set of an event that
is reported after it happened.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from fleetcrash.arrays import Floats, Ints, Mask
from fleetcrash.attribution.facts.cursor import Cursor
from fleetcrash.attribution.facts.hours import HOURS, hour_of
from fleetcrash.attribution.facts.minute_counts import MinuteCounts
from fleetcrash.attribution.facts.news import SYSTEMS, Exposed, News
from fleetcrash.times import DAY

AGE_MINUTES = (2, 10, 60, 240, DAY)  # an install is younger than
AGES = len(AGE_MINUTES)
BOOT_MINUTES = (2, 10)  # a boot since the install was less than
WINDOWS = AGES + len(BOOT_MINUTES)
"""Beside its age, exposure is counted once more in the minutes after a boot since: a fault may wait for it."""
BOOTS = 4  # time since boot: under ten minutes, under thirty, under twelve hours, later
LONG_UP = 2  # of these, from half an hour on
_LONGEST_UP = BOOTS - 1
_HARDLY_ANY = 0.1  # of the hosts with an update, without it beside them
_RARER = 3.0  # times; so much rarer hosts may crash, at the most, that have been up for half a day
KINDS = SYSTEMS * 2 * BOOTS
"""Of host-time: what shares a rate."""
_PUSH_MINUTES = 15
_LEAST_PUSHED, _PUSHED_SHARE = 20, 0.1  # host-minutes of those that had just got it; of what the largest push brought
_BEFORE_PUSH, _STRAYS = 0.25, 0.02  # of those of a push, how many came in as many minutes before; and at any time
KEPT_MINUTES = 1500  # a day and the hour in which most reports arrive

_SOME_MINUTES = 2  # after an install nothing is known of it yet, mostly
LATE_MINUTES = 180
"""Of what is told later than that it is not known how much later."""


def within_windows(counts: Floats, axis: int = 0) -> Floats:
    """What came within each time after the install, and after a boot since, from what came at each age."""
    ages, boots = np.split(counts, [AGES], axis)
    return np.concatenate([np.cumsum(ages, axis), np.cumsum(boots, axis)], axis)


_Numbers = TypeVar("_Numbers", Ints, NDArray[np.int32])


def kind_of(system: _Numbers, always_on: _Numbers, since_boot: _Numbers | int) -> _Numbers:
    """(n,) the number of each kind of host-time, of KINDS: operating system, always on, time since boot."""
    return (system * 2 + always_on) * BOOTS + since_boot


def grown(values: Any, axis: int, size: int) -> Any:
    """The array with zeros added at the end of an axis until it has the size."""
    missing = size - values.shape[axis]
    if missing <= 0:
        return values
    return np.pad(values, [(0, missing if number == axis else 0) for number in range(values.ndim)])


@dataclass(frozen=True)
class _Few:
    """Sums of so many cells, of which most are zero.

    Attributes:
        where: (n,) where the others are among the (cells, BOOTS, WINDOWS). sums: (2, n) those.
    """

    cells: int
    where: Ints
    sums: Floats

    @classmethod
    def of(cls, sums: Floats) -> _Few:
        """Those of (2, cells, BOOTS, WINDOWS) all."""
        flat = sums.reshape(2, -1)
        where = np.flatnonzero(flat.any(0))
        return cls(sums.shape[1], where, flat[:, where])

    def everywhere(self) -> Floats:
        """(2, cells, BOOTS, WINDOWS) all of them."""
        sums = np.zeros((2, self.cells, BOOTS, WINDOWS))
        sums.reshape(2, -1)[:, self.where] = self.sums
        return sums


@dataclass
class UpdateTime:
    """Hosts at risk that have one update.

    Attributes:
        sums: (2, cells, BOOTS, WINDOWS) of change, and of change x minute; of one that is idle, where there are few.
        now: (strata x BOOTS, WINDOWS) hosts at this minute.
        lately: that for each of the last KEPT_MINUTES; None where the update is idle: all of it was zero.
        since_minute: the first minute in which a host had it, as far as is known.
        changed_tick: the last tick that brought a change.
        told, told_late: installs so far, and of these those told some minutes after: other hosts had it then than was
            held to be so.
        by_hour: (HOURS, WINDOWS) host-minutes by the hour of the day, of who had left as well until that was known.
    """

    sums: Floats | _Few
    now: NDArray[np.int32]
    lately: MinuteCounts | None
    since_minute: int
    changed_tick: int
    told: float = 0.0
    told_late: float = 0.0
    by_hour: Floats = field(default_factory=lambda: np.zeros((HOURS, WINDOWS)))

    def host_minutes(self, tick: int) -> Floats:
        """(cells, BOOTS, WINDOWS) host-minutes at risk up to the tick."""
        sums = self._all_sums()
        return tick * sums[0] - sums[1]

    def host_minutes_since(self, since: int, tick: int) -> Floats:
        """(WINDOWS,) host-minutes at risk in the minutes after one of the last KEPT_MINUTES, up to the tick."""
        return np.zeros(WINDOWS) if self.lately is None else self.lately.totals(np.arange(since + 1, tick + 1))

    def hosts(self) -> Floats:
        """(cells,) hosts at risk now that have had it for less than a day."""
        return self._all_sums()[0, :, :, :AGES].sum((1, 2))

    def pushes(self, tick: int) -> Ints:
        """The minutes of the last day in which many hosts that were up began to get it, after hardly any did.

        A ring, or the same update sent once more. Who comes online gets what was missed, and is no sign of it.
        """
        if self.lately is None:
            return np.zeros(0, np.int64)
        is_up = np.arange(len(self.now)) % BOOTS >= LONG_UP
        just_got = np.roll(self.lately.summed(is_up, 0), -(tick + 1))  # the oldest minute first
        so_far = np.pad(np.cumsum(just_got), (_PUSH_MINUTES + 1, 0))
        so_far = np.pad(so_far, (0, _PUSH_MINUTES), mode="edge")
        at = np.arange(_PUSH_MINUTES, _PUSH_MINUTES + len(just_got))  # so_far[at] is what came before each minute
        before, after = so_far[at] - so_far[at - _PUSH_MINUTES], so_far[at + _PUSH_MINUTES] - so_far[at]
        many = after >= max(_LEAST_PUSHED, _PUSHED_SHARE * int(after.max(initial=0)))
        many[:_PUSH_MINUTES] = False  # what came before these is not kept
        begins = np.flatnonzero(many & (before <= _BEFORE_PUSH * after))
        last = begins[np.diff(begins, append=len(just_got) + _PUSH_MINUTES) > 1]  # of each run of such minutes
        first = np.searchsorted(so_far, so_far[at[last] - _PUSH_MINUTES] + _STRAYS * after[last], side="right")
        return tick - KEPT_MINUTES - _PUSH_MINUTES + first

    def share_of_boots_before(self, minutes: Ints, tick: int) -> Floats:
        """(n,) what part of the time soon after boots of hosts that had it then was before minutes of the last day.

        One where they have not booted since.
        """
        if self.lately is None:
            return np.ones(len(minutes))
        everywhere = np.ones(len(self.now), bool)
        after_boots = sum(self.lately.summed(everywhere, AGES + number) for number in range(len(BOOT_MINUTES)))
        so_far = np.pad(np.cumsum(np.roll(after_boots, -(tick + 1))), (1, 0))  # the oldest minute first
        before = so_far[np.clip(minutes - (tick + 1 - KEPT_MINUTES), 0, KEPT_MINUTES)]
        return np.divide(before, so_far[-1], out=np.ones(len(minutes)), where=so_far[-1] > 0)

    @property
    def cells(self) -> Ints:
        """Those in which hosts ever had it."""
        return np.flatnonzero(self._all_sums()[1].any((1, 2)))

    @property
    def is_idle(self) -> bool:
        """Whether nobody had it for less than a day within KEPT_MINUTES."""
        return self.lately is None

    def rest(self) -> None:
        """Let the memory go that one that is idle does not need."""
        self.lately = None
        sums = self._all_sums()
        few = _Few.of(sums)
        if few.where.nbytes + few.sums.nbytes < sums.nbytes:  # not of what everybody got
            self.sums = few

    def wake(self, rows: int) -> tuple[Floats, MinuteCounts]:
        """The sums and what was lately, to be changed.

        Args:
            rows: strata x BOOTS.
        """
        self.sums = self._all_sums()
        self.lately = self.lately or MinuteCounts(KEPT_MINUTES, (rows, WINDOWS))
        return self.sums, self.lately

    def extend(self, cells: int, rows: int) -> None:
        """Make it that many cells, and strata x BOOTS."""
        self.sums = replace(self.sums, cells=cells) if isinstance(self.sums, _Few) else grown(self.sums, 1, cells)
        self.now = grown(self.now, 0, rows)
        if self.lately is not None:
            self.lately.extend(rows)

    def _all_sums(self) -> Floats:
        return self.sums.everywhere() if isinstance(self.sums, _Few) else self.sums

    def mean_of(self, by_hour: Floats) -> Floats:
        """(outcomes, WINDOWS) the mean of something that depends on the hour of the day, over its host-time.

        Args:
            by_hour: (outcomes, HOURS).
        """
        total = self.by_hour.sum(0)
        out = np.ones((len(by_hour), WINDOWS))
        return np.divide(by_hour @ self.by_hour, total, out=out, where=total > 0)


@dataclass
class HostTime:
    """Host-time of the fleet and of each update, advanced tick by tick.

    Attributes:
        online: (cells, BOOTS) hosts at risk at this minute.
        online_now: (strata x BOOTS,) the same, coarsely.
        online_lately: (KEPT_MINUTES, strata x BOOTS) the same for each of the last minutes.
        by_update: host-time of each update that a host at risk has had for less than a day.
        weight: (AGES,) how much a host counts in a risk set, by the age of its install.
        told: (LATE_MINUTES + 1,) installs by how many minutes after it each was told; the last are of later, too.
    """

    news: News
    stratum: Ints
    strata: int
    online: Floats
    online_now: NDArray[np.int32]
    online_lately: NDArray[np.int32]
    by_update: dict[int, UpdateTime] = field(default_factory=dict)
    weight: Floats = field(default_factory=lambda: np.ones(AGES))
    told: Floats = field(default_factory=lambda: np.zeros(LATE_MINUTES + 1))

    def __post_init__(self) -> None:
        self._take_over()

    def _take_over(self) -> None:
        self._always_on = np.array([cell.always_on for cell in self.news.cells], bool)
        self._online, self._exposed = Cursor(self.news.online.minute), Cursor(self.news.exposed.tick)

    @classmethod
    def start(cls, news: News) -> HostTime:
        """Nothing counted yet."""
        stratum = news.strata
        strata = int(stratum.max()) + 1
        return cls(
            news=news,
            stratum=stratum,
            strata=strata,
            online=np.zeros((len(news.cells), BOOTS)),
            online_now=np.zeros(strata * BOOTS, np.int32),
            online_lately=np.zeros((KEPT_MINUTES, strata * BOOTS), np.int32),
        )

    def extend(self, news: News) -> None:
        """Go on with later news: the same cells and updates in the same order, and perhaps more of each."""
        self.news = news
        self._take_over()
        self.stratum = news.strata
        self.strata = int(self.stratum.max()) + 1
        cells, rows = len(news.cells), self.strata * BOOTS
        self.online = grown(self.online, 0, cells)
        self.online_now = grown(self.online_now, 0, rows)
        self.online_lately = grown(self.online_lately, 1, rows)
        for time in self.by_update.values():
            time.extend(cells, rows)

    def advance(self, tick: int) -> bool:
        """Take in what became known by the tick. Ticks come in order; only days without news may be left out.

        Returns:
            Whether anything did.
        """
        return self._advance_online(tick) | self._advance_exposed(tick)

    def risk_set(self, update: int, minutes: Ints, cells: Ints, since_boot: Ints) -> Floats:
        """Share of the hosts at risk that had the update, where and when each event happened.

        Args:
            minutes, cells, since_boot: (n,) of the events; minutes within the last KEPT_MINUTES.
        Returns:
            (n, WINDOWS) shares with an install younger than two minutes, ten minutes, an hour, four hours, a day, and
            with a boot since it less than two and ten minutes ago; NaN where nobody is known to have been online.
        """
        exposed, others = self.at_risk(update, minutes, cells, since_boot)
        others += self._longer_up(update, minutes, cells, since_boot, others <= _HARDLY_ANY * exposed[:, :AGES].sum(1))
        exposed[:, :AGES] *= self.weight
        exposed = within_windows(exposed, axis=1)
        online = (others + exposed[:, AGES - 1])[:, None]
        return np.divide(exposed, online, out=np.full(exposed.shape, np.nan), where=online > 0)

    def _longer_up(self, update: int, minutes: Ints, cells: Ints, since_boot: Ints, alone: Mask) -> Floats:
        """(n,) hosts that stand beside those with an update for having been up longer, of servers that came up today.

        A patch that restarts servers leaves nobody beside them that is up as long. Hours later one that came up today
        crashes hardly more often than one that did long ago; these count for less, by as much as it may.

        Args:
            alone: (n,) whether hardly anybody is beside them that is up as long.
        """
        asked = np.flatnonzero(alone & (since_boot == LONG_UP) & self._always_on[cells])
        longer = np.zeros(len(minutes))
        if len(asked):
            up = np.full(len(asked), _LONGEST_UP)
            longer[asked] = self.at_risk(update, minutes[asked], cells[asked], up)[1] / _RARER
        return longer

    def at_risk(self, update: int, minutes: Ints, cells: Ints, since_boot: Ints) -> tuple[Floats, Floats]:
        """Hosts at risk where and when each event happened.

        Args:
            minutes, cells, since_boot: see ``risk_set``.
        Returns:
            (n, WINDOWS) hosts that had the update, by the age of the install and once more by that of
            a boot since; and (n,) those that had not.
        """
        stratum = self.stratum[cells] * BOOTS + since_boot
        online = self.online_lately[minutes % KEPT_MINUTES, stratum].astype(float)
        lately = self.by_update[update].lately
        exposed = np.zeros((len(minutes), WINDOWS)) if lately is None else lately.at(minutes, stratum).astype(float)
        return exposed, np.maximum(online - exposed[:, :AGES].sum(1), 0.0)

    def share_told_later(self, minutes: int) -> float:
        """Of the installs so far the share that was told more than so many minutes after it."""
        later = self.told[min(max(minutes, 0), LATE_MINUTES - 1) + 1 :].sum()
        return float(later / max(self.told.sum(), 1.0))

    def _advance_online(self, tick: int) -> bool:
        rows, taken = self.news.online, self._online.take(tick)
        if taken.start < taken.stop:
            cell, boot, change = rows.cell[taken], rows.since_boot[taken], rows.change[taken]
            np.add.at(self.online, (cell, boot), change.astype(float))  # of the same type it is five times as fast
            np.add.at(self.online_now, self.stratum[cell] * BOOTS + boot, change.astype(np.int32))
        self.online_lately[tick % KEPT_MINUTES] = self.online_now
        return taken.start < taken.stop

    def _advance_exposed(self, tick: int) -> bool:
        rows, taken = self.news.exposed, self._exposed.take(tick)
        if taken.start < taken.stop:
            order = taken.start + np.argsort(rows.update[taken], kind="stable")
            for picked in np.split(order, np.flatnonzero(np.diff(rows.update[order])) + 1):
                self._take(rows, picked, int(rows.update[picked[0]]), tick)
        for time in self.by_update.values():
            if time.lately is None:
                continue
            time.lately.write(tick, time.now)
            time.by_hour[hour_of(tick)] += time.now.sum(0)
            if tick - time.changed_tick > KEPT_MINUTES and not time.now.any():
                time.rest()
        return taken.start < taken.stop

    def _take(self, rows: Exposed, picked: Ints, update: int, tick: int) -> None:
        time = self.by_update.get(update)
        if time is None:
            time = self.by_update[update] = UpdateTime(
                sums=np.zeros((2, len(self.news.cells), BOOTS, WINDOWS)),
                now=np.zeros((self.strata * BOOTS, WINDOWS), np.int32),
                lately=None,
                since_minute=int(rows.minute[picked].min()),
                changed_tick=tick,
            )
        (level, moment), lately = time.wake(self.strata * BOOTS)
        time.changed_tick = tick
        cell, boot, age, change = rows.cell[picked], rows.since_boot[picked], rows.age[picked], rows.change[picked]
        minute = rows.minute[picked].astype(np.int64)
        time.since_minute = min(time.since_minute, int(minute.min()))
        got = (age == 0) & (change > 0)
        late_by, hosts = rows.tick[picked][got] - minute[got], change[got].astype(float)
        np.add.at(self.told, np.minimum(late_by, LATE_MINUTES), hosts)
        time.told += hosts.sum()
        time.told_late += hosts[late_by > _SOME_MINUTES].sum()
        fine = (cell * BOOTS + boot) * WINDOWS + age
        np.add.at(level.reshape(-1), fine, change.astype(float))
        np.add.at(moment.reshape(-1), fine, (change * minute).astype(float))
        coarse = self.stratum[cell] * BOOTS + boot
        np.add.at(time.now.reshape(-1), coarse * WINDOWS + age, change.astype(np.int32))
        # A change known late holds for the minutes since.
        since = np.maximum(minute, tick - KEPT_MINUTES + 1)
        late = since < tick
        lately.add(since[late], tick, coarse[late], age[late].astype(np.int64), change[late])
