"""The oracle: a detector that knows which update is guilty, which hosts it hits and how often hosts crash otherwise.

A sequential test on the crashes of the hosts that the fault can hit, held against their time since the install, of
what had been told by then. It alarms at what a name takes of the detector, whose incidents open at less; a second one,
at what opens these, is as quick: nothing that has to find the update and the slice can be sooner than that for long.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np

from fleetcrash.attribution.evidence import TEST_RATIOS, log_mean_exp, log_poisson_ratio
from fleetcrash.attribution.hypotheses.suspects import LOG_ALARM, LOG_THRESHOLD
from fleetcrash.attribution.reporting.impact import State, impact_of
from fleetcrash.store import Engine, Lake
from fleetcrash.times import tick_time

_DAY = timedelta(days=1)
_WINDOWS = (timedelta(minutes=10), timedelta(hours=1), _DAY)


@dataclass(frozen=True)
class Known:
    """What the oracle sees of the fault.

    Attributes:
        first: when the first crash of a host that the fault can hit was received; None without one.
        alarm: the whole minute at which its test is what a name takes; None if it never is.
        opening: the same of what opens an incident.
        crashed: for each instant, how many hosts of the fault had crashed by what was known then.
    """

    first: datetime | None
    alarm: datetime | None
    opening: datetime | None
    times: tuple[datetime, ...]

    def crashed(self, moment: datetime) -> int:
        """Hosts of the fault whose crash was known by a moment."""
        return sum(time <= moment for time in self.times)


def ask(lake: Lake, update_id: str, condition: Any, released: datetime) -> Known:
    """What an oracle makes of a fault.

    Args:
        condition: the truth's; which exposed hosts the fault can hit.
    """
    with Engine(lake) as engine:
        exposed = [
            row for row in impact_of(engine, update_id, condition).hosts.to_pylist() if row["state"] != State.PENDING
        ]
        reports = engine.rows("crashes_known_since", since=datetime(1970, 1, 1, tzinfo=released.tzinfo))
        told = {row["host_id"]: row["known_at"] for row in engine.rows("installs_known", update_id=update_id)}
    installed = {row["host_id"]: row["installed_at"] for row in exposed if row["installed_at"] is not None}
    before = [row for row in reports if row["known_at"] <= released]
    quiet_days = (released - min((row["known_at"] for row in reports), default=released)) / _DAY
    hosts = len({row["host_id"] for row in reports} | set(installed))
    rate = (len(before) + 1.0) / max(quiet_days, 0.5) / max(hosts, 1)  # crashes a host-day
    first_of = {}
    for row in reports:
        host = row["host_id"]
        if host in installed and row["placed_at"] >= installed[host] and host not in first_of:
            first_of[host] = row
    struck = sorted(first_of.values(), key=lambda row: row["known_at"])
    times = tuple(row["known_at"] for row in struck)
    alarm, opening = _passed(struck, installed, told, rate)
    return Known(times[0] if times else None, alarm, opening, times)


def _passed(
    struck: Sequence[dict[str, Any]], installed: dict[str, datetime], told: dict[str, datetime], rate: float
) -> tuple[datetime | None, datetime | None]:
    """When the test was first what a name takes, and what opens an incident, by what had been told by then.

    Args:
        struck: the first crash of each host since its install. installed: when each host got the update.
        told: when that was known; of a host that is not in it, which got it by an assumption, from then on.
        rate: crashes a host-day.
    """
    opening = None
    known_at = {host: max(since, told.get(host, since)) for host, since in installed.items()}
    starts = np.array([installed[host].timestamp() for host in known_at])
    starts_known = np.array([known.timestamp() for known in known_at.values()])
    crashes = sorted(
        (max(row["known_at"], known_at[row["host_id"]]), row["known_at"] - installed[row["host_id"]]) for row in struck
    )
    for number, (now, _) in enumerate(crashes, 1):
        seen, mean = np.zeros(len(_WINDOWS)), np.zeros(len(_WINDOWS))
        for which, window in enumerate(_WINDOWS):
            ages = np.clip(now.timestamp() - starts[starts_known <= now.timestamp()], 0.0, window.total_seconds())
            mean[which] = rate * ages.sum() / _DAY.total_seconds()
            seen[which] = sum(age <= window for _, age in crashes[:number])
        test = float(log_mean_exp(log_poisson_ratio(seen, mean, TEST_RATIOS), axis=(0, 1)))
        tick = tick_time(-int(-now.timestamp() // 60))
        if opening is None and test >= LOG_ALARM:
            opening = tick
        if test >= LOG_THRESHOLD:
            return tick, opening
    return None, opening
