"""Reads from a lake what the arithmetic needs about a rollout: evidence by ring, and the baseline."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Any

import numpy as np

from fleetcrash.arrays import Floats, Ints, Mask
from fleetcrash.attribution.facts.reading import KNOWN
from fleetcrash.counts import poisson_lower
from fleetcrash.gate.baseline import LOOP, OUTCOMES, Baseline, Kind, learn
from fleetcrash.gate.evidence import AGES, EARLY_AGES, Evidence, Hits
from fleetcrash.store.engine import Engine
from fleetcrash.times import US_A_MINUTE, microseconds, tick_time

# That a session ended is known ten minutes later, and nine in ten crashes are known nine minutes after they happened:
# only of hosts that were online longer ago than this can it be said that they came through.
TOLD_AFTER_MINUTES = 10

# An OS patch restarts a server, and only one that is not back within an hour is dark.
_PATCHED_AFTER_MINUTES = 60 + TOLD_AFTER_MINUTES

_HISTORY_DAYS = 14

# One customer counts for at most a third of a ring, or for its share of the fleet where that is more: what the hosts of
# a single customer come through tells little about those of others.
_MOST_SHARE = 1 / 3

# If hosts of one site are hit within ten minutes, as by a power cut, a third one says nothing that two did not.
_WITNESSES = 2
_WITNESSES_WITHIN_US = 10 * US_A_MINUTE

_COUNTED = ("cells", "host_cell", "first_told", "at_risk", "gone", "events")

Span = tuple[datetime, datetime]
Rows = list[dict[str, Any]]  # of a query


@dataclass(frozen=True)
class Update:
    """An update as it is known; microseconds since 1970.

    Attributes:
        kind: None where the catalogue lacks the update.
        released_us, reverted_us: None where unknown, or not yet the case.
        told_us: when the newest record about the fleet became known.
        exposure_source, presence_source: what exposure and presence rest on, in the contract's words.
        crash_told: whether any crash of any host is on record.
        hosts: number in the inventory.
    """

    kind: str | None
    released_us: int | None
    reverted_us: int | None
    told_us: int | None
    exposure_source: str
    presence_source: str
    crash_told: bool = True
    hosts: int = 0


@dataclass(frozen=True)
class Ring:
    """What is known about a ring that has the update.

    Attributes:
        name: None for hosts of which the inventory tells no ring.
        exposed: hosts that have it, or had it; each counts from when it was last sent the update.
        host_hours: that they were at risk with it, up to a day each.
        crashed, dark: hosts that were hit: those that crashed at all, and those that only went dark, back or not.
        begun: whether more than a few stray hosts have it.
        expected: hosts that would have been hit without it.
        hits_at: when each of these hosts was hit, to the minute.
        soaked_from_us: when it began to soak, for the last time if it was sent the update again.
        beat_us: its newest heartbeat; None without any.
        left_us: when the last of its hosts went offline; None while one is online.
        holders: hosts that have it still.
        silent: servers that were hit and are offline.
        hosts: of the ring in the inventory; may be fewer than exposed where that is silent.
        weight: of the exposed hosts by customer.
        shared: how many were hit once they had another update as well that is named.
        relapsed: how many of the hit had crashed in the day before they got it, too.
        still_dark: servers that are dark now, as the contract's list of hosts has it.
        both: hosts that have, or had, another update as well that is named.
        evidence: the same, weighted by customer, for the statistical tests; without what befell hosts once they had
            another update as well that is named, which tells nothing of this one.
    """

    name: str | None
    exposed: int
    host_hours: float
    crashed: int
    dark: int
    expected: float
    begun: bool
    hits_at: tuple[datetime, ...]
    soaked_from_us: int
    beat_us: int | None
    left_us: int | None
    holders: int
    silent: int
    evidence: Evidence
    hosts: int = 0
    weight: float = 0.0
    shared: int = 0
    relapsed: int = 0
    both: int = 0
    still_dark: int = 0

    @property
    def hit(self) -> int:
        """Hosts that crashed or went dark."""
        return self.crashed + self.dark


def read_update(engine: Engine, update_id: str) -> Update | None:
    """What is known about an update as of the engine's instant; None where it is unknown."""
    rows = engine.rows("gate/update_known", update_id=update_id)
    return Update(**rows[0], **engine.rows("sources_of_exposure")[0]) if rows else None


def read_rings(
    engine: Engine,
    update_id: str,
    *,
    disturbed: Sequence[Span],
    named: Sequence[tuple[str, datetime]] = (),
    is_patch: bool = False,
) -> tuple[list[Ring], Baseline]:
    """The rings that have the update, in the order in which they got it, and the baseline to compare them with.

    Args:
        disturbed: stretches with incidents, disjoint and in order; the baseline leaves them out.
        named: other updates that incidents name, with the end of the incident.
        is_patch: the update restarts its hosts, so that those that go dark are known an hour later.
    """
    _name_tables(engine, update_id, named)
    baseline = _learned(engine, disturbed)
    return _rings(engine, baseline, is_patch=is_patch), baseline


def _name_tables(engine: Engine, update_id: str, named: Sequence[tuple[str, datetime]]) -> None:
    """Have the engine keep the tables that the gate's queries read, each after those that it reads itself."""
    for name in KNOWN:
        engine.keep(name, name)
    for name in _COUNTED:
        engine.keep(name, f"detection/{name}")
    engine.keep("gate_crashes", "gate/crashes_by_host")
    engine.keep("gate_events", "gate/counted_events")
    others = {"named": [name for name, _ in named], "named_until_us": [microseconds(until) for _, until in named]}
    engine.keep("gate_exposed", "gate/exposed_hosts", update_id=update_id, most_share=_MOST_SHARE, **others)
    engine.keep("gate_lately", "gate/crashed_lately")
    engine.keep("gate_named", "gate/named_hosts", **others)
    engine.keep("gate_hits", "gate/hit_hosts", update_id=update_id)
    engine.keep("gate_beside", "gate/hits_beside")


def _learned(engine: Engine, disturbed: Sequence[Span]) -> Baseline:
    past = {"lag_us": TOLD_AFTER_MINUTES * US_A_MINUTE, "history_us": _HISTORY_DAYS * 1440 * US_A_MINUTE}
    history = {
        **past,
        "disturbed_from_us": [microseconds(since) for since, _ in disturbed],
        "disturbed_until_us": [microseconds(until) for _, until in disturbed],
    }
    return learn(
        engine.rows("gate/baseline_time", **history),
        engine.rows("gate/baseline_events", **history),
        engine.rows("gate/crashes_again", **past),
    )


def _rings(engine: Engine, baseline: Baseline, *, is_patch: bool) -> list[Ring]:
    hits, time = engine.rows("gate/hits_in_order"), engine.rows("gate/exposed_time_by_minute")
    told = engine.rows("gate/rings")
    if not told or engine.as_of is None:
        return []
    end = microseconds(engine.as_of) // US_A_MINUTE
    told_end = end - (_PATCHED_AFTER_MINUTES if is_patch else TOLD_AFTER_MINUTES)
    grid = _Grid(_lived(time, hits, end), end, told_end)
    time_of, hits_of = _by_ring(time), _by_ring(hits)
    return [_ring(row, time_of[row["ring"]], hits_of[row["ring"]], baseline, grid) for row in told]


def _by_ring(rows: Rows) -> Mapping[str | None, Rows]:
    found: dict[str | None, Rows] = defaultdict(list)
    for row in rows:
        found[row["ring"]].append(row)
    return found


@dataclass(frozen=True)
class _Grid:
    """The minutes of a rollout, since 1970, in which hosts were at risk or hit; all others say nothing.

    One host whose clock says 1970 begins the rollout then, and half a century of minutes would take gigabytes.

    Attributes:
        minutes: in order.
        end: of the rollout so far; told_end: before it is old enough to know who came through.
    """

    minutes: Ints
    end: int
    told_end: int

    def place(self, minute: int) -> int:
        """The index of a minute, or of the next one on the grid."""
        return int(np.searchsorted(self.minutes, min(minute, self.end)))


def _lived(time: Rows, hits: Rows, end: int) -> Ints:
    """The minutes before ``end`` in which at least one host was at risk or hit."""
    changes: dict[int, int] = defaultdict(int)
    for row in time:
        changes[row["minute"]] += row["hosts"]
    lived, at_risk = {row["minute"] for row in hits}, 0
    for minute, following in pairwise([*sorted(changes), end]):
        at_risk += changes[minute]
        if at_risk:
            lived.update(range(minute, following))
    return np.array(sorted(minute for minute in lived if minute < end), dtype=np.int64)


@dataclass(frozen=True)
class _Exposed:
    """The time of a ring's hosts with the update.

    Attributes:
        host_minutes: at risk. expected: hosts that would have been hit in it without the update.
        alone: of these, before they had another update as well that is named; early: of those, in the first hour.
        online, weighted, expected_weighted: ``time``, ``weighted`` and ``expected`` of Evidence.
    """

    host_minutes: float
    expected: float
    alone: float
    early: float
    online: Floats
    weighted: Floats
    expected_weighted: Floats


def _exposed(ring: str | None, time: Rows, baseline: Baseline, grid: _Grid) -> _Exposed:
    """Add up the changes of ``exposed_time_by_minute.sql``, each of which holds until the end."""
    minutes = len(grid.minutes)
    online, weighted = np.zeros((minutes + 1, AGES)), np.zeros((minutes + 1, AGES))
    host_minutes = expected = alone = early = 0.0
    expected_weighted = np.zeros(OUTCOMES)
    for row in time:
        at = grid.place(row["minute"])
        rates = baseline.rates_of(ring, _kind(row))
        lived = max(grid.end - row["minute"], 0) * row["hosts"]
        host_minutes += lived
        change = float(rates.sum()) * lived
        expected += change
        if row["shared"]:
            continue
        online[at, row["age"]] += row["hosts"]
        weighted[at, row["age"]] += row["weighted"]
        alone += change
        early += change if row["age"] < EARLY_AGES else 0.0
        expected_weighted += rates * (max(grid.told_end - row["minute"], 0) * row["weighted"])
    return _Exposed(
        host_minutes=host_minutes,
        expected=expected,
        alone=alone,
        early=early,
        online=online.cumsum(0)[:minutes],
        weighted=weighted.cumsum(0)[: grid.place(grid.told_end)],
        expected_weighted=np.maximum(expected_weighted, 0.0),
    )


def _ring(told: dict[str, Any], time: Rows, hits: Rows, baseline: Baseline, grid: _Grid) -> Ring:
    name = told["ring"]  # as the inventory has it
    exposed = _exposed(name, time, baseline, grid)
    alone = _hits([row for row in hits if not row["shared"]], baseline, name, grid)
    crashed = sum(row["crashed"] for row in hits)
    return Ring(
        name=name,
        exposed=told["exposed"],
        host_hours=exposed.host_minutes / 60.0,
        crashed=crashed,
        dark=len(hits) - crashed,
        expected=exposed.expected,
        begun=told["begun"],
        hits_at=tuple(tick_time(row["minute"]) for row in hits),
        soaked_from_us=told["soaked_from_us"],
        beat_us=told["beat_us"],
        left_us=told["left_us"],
        holders=told["holders"],
        silent=told["silent"],
        hosts=told["hosts"],
        weight=told["weight"],
        shared=sum(row["shared"] for row in hits),
        relapsed=sum(row["relapsed"] for row in hits),
        both=told["both_named"],
        still_dark=told["still_dark"],
        evidence=Evidence(
            time=exposed.online,
            weighted=exposed.weighted,
            expected=exposed.expected_weighted,
            hits=alone,
            heads=told["weighted"],
            # Where hosts beside it are hit as many times as often as usual, so many hits are one more than usual.
            excess=float((1.0 / alone.beside[alone.age < EARLY_AGES]).sum()) - exposed.early,
            surplus=float((1.0 / alone.beside).sum()) - exposed.alone,
            exposed=told["telling"],
        ),
    )


def _kind(row: dict[str, Any]) -> Kind:
    return row["os_type"], row["always_on"], row["since_boot"], row["since_crash"]


def _hits(rows: Rows, baseline: Baseline, ring: str | None, grid: _Grid) -> Hits:
    return Hits(
        minute=np.array([grid.place(row["minute"]) for row in rows], dtype=np.int64),
        outcome=np.array([row["outcome"] for row in rows], dtype=np.int64),
        age=np.array([row["age"] for row in rows], dtype=np.int64),
        rate=_floats(baseline.rates_of(ring, _kind(row)).sum() for row in rows),
        beside=_floats(_beside(row, baseline.overall) for row in rows),
        weight=_floats(row["weight"] for row in rows),
        witness=_witnesses(rows),
    )


def _witnesses(rows: Rows) -> Mask:
    """Which hits bear witness: of one place two at most in any ten minutes.

    None is a host that a patch restarted, or that was in a loop when it got the update: it would have gone on anyway.
    Nor is one that had crashed in the day before and got yet another update since: of crashes again the detector tells
    nothing, so that nobody else would name that one.

    Only witnesses keep others from being one. Each hit of a place that is hit steadily would else be too close to the
    last, and a fault in a ring that is a single site would halt it never.
    """
    newest: dict[str, deque[int]] = defaultdict(lambda: deque(maxlen=_WITNESSES))
    found = np.zeros(len(rows), dtype=bool)
    for number, row in enumerate(rows):
        if row["restarted"] or row["since_crash"] == LOOP or row["overtaken"]:
            continue
        before = newest[row["place"]] if row["place"] is not None else deque()
        found[number] = len(before) < _WITNESSES or row["at_us"] - before[0] > _WITNESSES_WITHIN_US
        if found[number]:
            before.append(row["at_us"])
    return found


def _beside(row: dict[str, Any], overall: float) -> float:
    """Hits of hosts beside it without the update, over their baseline: the most of those by OS, region or place.

    Shrunk by one event, and at least what their number speaks for: where next to none are expected, the former makes a
    region without power, of which every host is dark, out to be hit a few hundred times as often as usual.
    """
    ratios = [1.0]
    for name in ("os", "region", "place"):
        hits, expected = row[f"beside_{name}_hits"], row[f"beside_{name}_minutes"] * overall
        ratios.append((hits + 1.0) / (expected + 1.0))
        ratios.append(float(poisson_lower(hits)) / expected if hits else 1.0)
    return max(ratios)


def _floats(values: Any) -> Floats:
    return np.array(list(values), dtype=float)
