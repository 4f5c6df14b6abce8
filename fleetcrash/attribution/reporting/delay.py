"""What waiting cost: how many hosts an update would have spared, had its rollout been halted earlier.

The hosts are those that the incident's condition selects, and they are counted, not modelled: halted at T, the update
does not reach the hosts that got it after T. Some of those that were *hit* with it, by a crash or, if always on, by
going dark, would have been hit without it: as many as in an equal time before each host's own install. What is left
is the attributable fraction of epidemiology (Levin 1953), one figure for all T, so that an earlier halt never spares
fewer. Its range is that of the hits before the installs, which are few: the exact interval of a Poisson mean (Garwood
1936), 95 %.

It takes for granted that a halt reaches all hosts at once, and that the hours before the installs were like those
after.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from math import exp, lgamma

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from fleetcrash.arrays import Ints
from fleetcrash.attribution.facts.columns import as_microseconds
from fleetcrash.attribution.reporting.impact import Impact, State
from fleetcrash.counts import poisson_interval
from fleetcrash.store.engine import Engine
from fleetcrash.times import US_A_MINUTE, microseconds

RING_SHARE = 0.01
RING_MINUTES = 30
"""The ring that is compared with: as large as canary rings are, and as long as a gate with a soak leaves them alone."""

_MOST_HALTS = 2880
"""Two days of minutes; of a longer rollout fewer of its minutes are told, as evenly."""
_TAIL = 0.025


@dataclass(frozen=True)
class Range:
    """An estimate between its bounds, 95 %."""

    low: float
    estimate: float
    high: float


@dataclass(frozen=True)
class Spared:
    """What a halt at an instant would have spared, up to now.

    Attributes:
        exposed: hosts that would not have got the update. hit: those of them that were hit with it, counted.
        because: how many of these were hit because of it.
    """

    halted_at: datetime
    exposed: int
    hit: int
    because: Range


@dataclass(frozen=True)
class FirstRing:
    """A share of the hosts, drawn at random, that has the update alone for a while, and is then halted.

    Attributes:
        hosts: in the ring. hit: those of them that are hit within the while.
    """

    hosts: int
    hit: Range


@dataclass(frozen=True)
class Delay:
    """The cost of every minute from the release on.

    Attributes:
        halts: in order, ``step_min`` minutes apart, until now or the withdrawal; the first is the release, at which a
            halt spares everybody, and the last the end itself.
        exposed, hit: hosts in all.
        ring: what a first ring would have cost instead.
        is_assumed: no install is on record, so a host counts as reached when it was first online after the release.
    """

    halts: tuple[Spared, ...]
    step_min: int
    exposed: int
    hit: int
    ring: FirstRing
    is_assumed: bool

    def at(self, instant: datetime) -> Spared:
        """What a halt at an instant would have spared: the last of those that are told until then."""
        begun = bisect_right(self.halts, instant, key=lambda spared: spared.halted_at)
        return self.halts[max(begun - 1, 0)]

    def table(self) -> pa.Table:
        """One row a halt: halted_at, exposed_fewer, hit_fewer, because_low, because, because_high."""
        return pa.table(
            {
                "halted_at": pa.array([each.halted_at for each in self.halts], pa.timestamp("us", "UTC")),
                "exposed_fewer": pa.array([each.exposed for each in self.halts], pa.int64()),
                "hit_fewer": pa.array([each.hit for each in self.halts], pa.int64()),
                "because_low": pa.array([each.because.low for each in self.halts], pa.float64()),
                "because": pa.array([each.because.estimate for each in self.halts], pa.float64()),
                "because_high": pa.array([each.because.high for each in self.halts], pa.float64()),
            }
        )


def delay_of(engine: Engine, update_id: str, impact: Impact) -> Delay | None:
    """What the delay of a halt cost, as of the engine's instant; None where the update has reached no host.

    Args:
        impact: of the same engine, instant and update; its hosts count.
    """
    if engine.as_of is None:
        return None
    hosts = impact.hosts.filter(pc.not_equal(impact.hosts["state"], State.PENDING.value))
    if not len(hosts):
        return None
    engine.keep("known_exposures", "known_exposures")
    around = engine.table("hits_around_install", update_id=update_id)
    around = around.take(pc.index_in(hosts["host_id"], around["host_id"]))
    reached = as_microseconds(around["installed_at"])
    hit = np.asarray(pc.or_(pc.greater(hosts["crashes"], 0), hosts["has_gone_dark"]))
    after_us = pc.cast(pc.subtract(around["hit_at"], around["installed_at"]), pa.int64())
    soon = np.asarray(pc.fill_null(pc.less_equal(after_us, RING_MINUTES * US_A_MINUTE), False))
    caused = attributable(
        int(hit.sum()),
        int(pc.sum(around["hit_before"]).as_py()),
        had=float(pc.sum(around["had_s"]).as_py()),
        before=float(pc.sum(around["before_s"]).as_py()),
    )
    update = next((row for row in engine.rows("updates_released") if row["update_id"] == update_id), None)
    start = int(reached.min()) if update is None else microseconds(update["released_at"])
    withdrawn = None if update is None else update["reverted_at"]
    end = max(start, microseconds(engine.as_of if withdrawn is None else min(withdrawn, engine.as_of)))
    step_min = max(1, -(-(end - start) // (_MOST_HALTS * US_A_MINUTE)))
    return Delay(
        halts=_halts(reached, hit, caused, np.append(np.arange(start, end, step_min * US_A_MINUTE), end)),
        step_min=step_min,
        exposed=len(reached),
        hit=int(hit.sum()),
        ring=first_ring(len(reached), int((soon & hit).sum())),
        is_assumed=engine.rows("sources_of_exposure")[0]["exposure_source"] != "installs",
    )


def _halts(reached: Ints, hit: NDArray[np.bool_], caused: Range, halts: Ints) -> tuple[Spared, ...]:
    """What a halt at each of some instants (n,) would have spared.

    Args:
        reached, hit: (hosts,) when the update reached each, and whether it was hit with it.
    """
    exposed = len(reached) - np.searchsorted(np.sort(reached), halts, side="right")
    struck = hit.sum() - np.searchsorted(np.sort(reached[hit]), halts, side="right")
    if len(halts) > 1:  # halted at the release, it reaches nobody: also not those whose clock says before it
        exposed[0], struck[0] = len(reached), hit.sum()
    return tuple(
        Spared(
            halted_at=datetime.fromtimestamp(0, UTC) + timedelta(microseconds=int(at)),
            exposed=int(hosts),
            hit=int(those),
            because=Range(*(int(those) * share for share in (caused.low, caused.estimate, caused.high))),
        )
        for at, hosts, those in zip(halts, exposed, struck, strict=True)
    )


def attributable(hit: int, hit_before: int, *, had: float, before: float) -> Range:
    """Share of the hits that would not have been without the update.

    Args:
        hit: hosts hit with it. hit_before: hosts hit in the time before it.
        had, before: how long the hosts had it, and were watched before it; of one unit.
    Returns:
        Between 0 and 1; from 0 to 1 where nothing is known of the time before.
    """
    if hit == 0:
        return Range(0.0, 0.0, 0.0)
    if before <= 0:
        return Range(0.0, 1.0, 1.0)
    few, many = poisson_interval(hit_before)
    low, estimate, high = (max(1.0 - mean * had / before / hit, 0.0) for mean in (many, hit_before, few))
    return Range(low, estimate, high)


def first_ring(hosts: int, hit_soon: int) -> FirstRing:
    """What a ring of RING_SHARE of the hosts would have cost in RING_MINUTES.

    Args:
        hit_soon: how many of all the hosts were hit so soon after they got the update.
    Returns:
        The range is that of the draw: the central 95 % of the hypergeometric distribution.
    """
    size = max(1, round(hosts * RING_SHARE))
    least, most = max(0, size - (hosts - hit_soon)), min(size, hit_soon)
    ways = _log_ways(hosts, size)
    drawn = np.array(
        [
            exp(_log_ways(hit_soon, struck) + _log_ways(hosts - hit_soon, size - struck) - ways)
            for struck in range(least, most + 1)
        ]
    )
    below = np.cumsum(drawn)
    low, high = np.searchsorted(below, [_TAIL, 1.0 - _TAIL])
    return FirstRing(size, Range(least + int(low), size * hit_soon / hosts, min(least + int(high), most)))


def _log_ways(of: int, chosen: int) -> float:
    return lgamma(of + 1) - lgamma(chosen + 1) - lgamma(of - chosen + 1)
