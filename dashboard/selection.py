"""What a viewer asked to see, in the parameters of the counting queries."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

TABLES_OF_THE_LAKE = ("known_exposures", "online_stretches", "placed_crashes")
"""Queries whose answers are kept as tables of the same name: they change with the lake alone."""

TABLES_OF_A_SELECTION = ("selected_time", "selected_crashes")
"""Queries kept as tables that change with the window and the filters as well; they read the tables above."""

_BUCKETS_S = (60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 86400)
_FEWEST_BUCKETS = 26
_MOST_BUCKETS = 310  # more points than this are closer together than a pixel or two of the chart


@dataclass(frozen=True)
class Selection:
    """A window of time and the filters on it.

    Attributes:
        since, until: half-open, aware UTC.
        os_types, agent_versions, updates: what is wanted; empty filters nothing.
    """

    since: datetime
    until: datetime
    os_types: tuple[str, ...] = ()
    agent_versions: tuple[str, ...] = ()
    updates: tuple[str, ...] = ()

    def parameters(self) -> dict[str, Any]:
        """The parameters of the queries in ``TABLES_OF_A_SELECTION``."""
        return {
            "since": self.since,
            "until": self.until,
            "os_types": list(self.os_types),
            "agent_versions": list(self.agent_versions),
            "updates": list(self.updates),
        }

    def bucket_s(self, crashes: int) -> int:
        """Width of a bucket of the chart, seconds.

        The finest that leaves no more points than can be told apart; wider, down to a few points, while there
        are fewer crashes than buckets: a curve of zeros and ones shows when hosts crashed, not how often.

        Args:
            crashes: how many there are in the window.
        """
        most = max(_FEWEST_BUCKETS, min(_MOST_BUCKETS, crashes))
        return self._width(most)

    def aligned(self) -> Selection:
        """The same with ``since`` moved back to a whole bucket, so that live points do not wander."""
        widest_s = self._width(_FEWEST_BUCKETS)
        since_s = int(self.since.timestamp()) // widest_s * widest_s
        return replace(self, since=datetime.fromtimestamp(since_s, tz=UTC))

    def _width(self, most: int) -> int:
        span_s = (self.until - self.since).total_seconds()
        return next((width for width in _BUCKETS_S if span_s / width <= most), _BUCKETS_S[-1])

    def window(self, since: datetime, until: datetime) -> Selection:
        """The same filters on another window."""
        return replace(self, since=since, until=until)


def last(span: timedelta, until: datetime) -> Selection:
    """Everything in the stretch that ends at ``until``."""
    return Selection(since=until - span, until=until)
