"""The viewer's selection as parameters of the counting queries."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

Kept = tuple[str, str, dict[str, Any]]

# Queries whose answers are kept as tables of the same name: they change with the lake alone, and read the kept tables
# of ``fleetcrash.clustering``.
TABLES_OF_THE_LAKE = (
    "known_presence",
    "known_spans",
    "known_exposures",
    "online_stretches",
    "placed_crashes",
    "host_kinds",
)

# What queries read by a name without its being kept, and the query behind it; that reads the tables above.
PASSED: Mapping[str, str] = {"judged_crashes": "judged_crashes_placed"}

_WINDOW = ("since", "until")
_EXPOSED = ("updates", "channels")
HOST_FILTERS = ("os_types", "os_builds", "agent_versions", "models", "regions", "rings", "sites")
# Queries kept as tables that change with the window and the filters as well, with their parameters; they read the
# tables above, and the later ones the earlier.
TABLES_OF_A_SELECTION: Mapping[str, tuple[str, ...]] = {
    "exposures_in_window": _WINDOW,
    "exposed_updates": (),
    "exposed_time": _WINDOW,
    "exposed_crashes": _WINDOW,
    "fleet_sums": _WINDOW,
    "worded_crashes": ("text",),
    "selected_exposures": _EXPOSED,
    "selected_kinds": HOST_FILTERS,
    "selected_time": (*_WINDOW, *_EXPOSED),
    "time_by_update": (),
    "selected_crashes": (*_WINDOW, *_EXPOSED, "clusters", "text"),
    "crashes_by_update": (),
    "selected_sums": (),
    "selected_lately": ("until",),
}

# The same for a curve, of buckets of so many seconds; they read all of the above.
TABLES_OF_A_CURVE: Mapping[str, tuple[str, ...]] = {
    "fleet_edges": (*_WINDOW, "bucket_s"),
    "selected_edges": (*_WINDOW, "bucket_s"),
}

# Tables kept beside these for the time that a baseline looks back to, each with the one that it is like.
_TABLES_OF_A_BASELINE = {
    "fleet_hours": "fleet_edges",
    "earlier_time": "selected_time",
    "earlier_crashes": "selected_crashes",
    "earlier_edges": "selected_edges",
}

# Queries that read them in place of those of the selection itself.
_BASELINE_QUERIES = {"selected_edges": "earlier_edges", "selected_edges_of_kinds": "earlier_edges_of_kinds"}

# Queries that answer the same as some of these where window and filters are simple, with their parameters: for the
# kinds of hosts that are asked for, for one update, or for all updates.
SHORTER_WAYS: Mapping[str, tuple[str, ...]] = {
    "selected_time_of_update": ("since", "updates"),
    "time_by_update_of_all": ("since",),
    "selected_crashes_of_update": ("since", "updates", "clusters", "text"),
    "crashes_by_update_of_all": ("since",),
    "selected_sums_of_kinds": (),
    "selected_edges_of_kinds": (),
    "selected_edges_of_update": (*_WINDOW, "bucket_s", "updates"),
    "selected_lately_of_kinds": (),
    "selected_lately_of_update": ("until", "updates"),
}

# Of these there are shorter ways even where only some of the crashes are selected.
_WHATEVER_CRASHES = ("selected_time", "selected_crashes", "time_by_update")

_REACH_BACK = ("exposures_in_window", "exposed_time", "exposed_crashes")

# How far before the end of a window its baseline may look.
LOOKS_BACK = timedelta(hours=48)

_BUCKETS_S = (60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 86400)
_FEWEST_BUCKETS = 26
_MOST_BUCKETS = 310  # more points would be less than a pixel or two apart


@dataclass(frozen=True)
class Filters:
    """Filters of crashes and host-time; an empty one filters nothing.

    Attributes:
        updates, channels: hosts while they were exposed to one of these.
        clusters, text: apply only to crashes; host-time has neither.
    """

    os_types: tuple[str, ...] = ()
    os_builds: tuple[str, ...] = ()
    agent_versions: tuple[str, ...] = ()
    updates: tuple[str, ...] = ()
    channels: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    regions: tuple[str, ...] = ()
    rings: tuple[str, ...] = ()
    sites: tuple[str, ...] = ()
    clusters: tuple[str, ...] = ()
    text: str = ""

    def __bool__(self) -> bool:
        return any(asdict(self).values())

    @property
    def only_crashes(self) -> bool:
        """Whether there is a filter that applies only to crashes."""
        return bool(self.clusters or self.text)


@dataclass(frozen=True)
class Selection:
    """A window of time and the filters on it.

    Attributes:
        since, until: half-open, aware UTC.
    """

    since: datetime
    until: datetime
    filters: Filters = field(default_factory=Filters)

    def query(self, table: str) -> str:
        """The query for one of the tables above: its own, or a shorter way to the same answer."""
        filters = self.filters
        if filters.channels or len(filters.updates) > 1 or (filters.only_crashes and table not in _WHATEVER_CRASHES):
            return table
        ways = [] if filters.updates else [f"{table}_of_kinds"]
        if self.until - self.since <= LOOKS_BACK:  # exposure over four weeks would take a GiB of memory
            ways.append(f"{table}_of_update" if filters.updates else f"{table}_of_all")
        return next((way for way in ways if way in SHORTER_WAYS), table)

    def parameters(self, table: str, **more: Any) -> dict[str, Any]:
        """The parameters of the query of one of ``TABLES_OF_A_SELECTION``, or of ``TABLES_OF_A_CURVE``.

        Args:
            more: values that are not in the window or the filters.
        """
        values = {"since": self.since, "until": self.until, **asdict(self.filters), **more}
        if table in _REACH_BACK:
            # Also for the window of the baseline, which is asked for in addition.
            values["since"] = min(self.since, self.until - LOOKS_BACK)
        read = {**TABLES_OF_A_SELECTION, **TABLES_OF_A_CURVE, **SHORTER_WAYS}[self.query(table)]
        return {
            name: list(value) if isinstance(value, tuple) else value for name, value in values.items() if name in read
        }

    def kept(self, tables: Iterable[str], **more: Any) -> list[Kept]:
        """Name, query and parameters of tables to keep.

        Args:
            more: see ``parameters``.
        """
        return [(table, self.query(table), self.parameters(table, **more)) for table in tables]

    def kept_of_baseline(self) -> list[Kept]:
        """Like ``kept``, for the tables that ``earlier_rate_by_hour`` reads, if this is the window of the baseline."""
        found = zip(_TABLES_OF_A_BASELINE, self.kept(_TABLES_OF_A_BASELINE.values(), bucket_s=3600), strict=True)
        return [(name, _BASELINE_QUERIES.get(query, query), parameters) for name, (_, query, parameters) in found]

    def bucket_s(self, crashes: int) -> int:
        """Width of a bucket of the chart, seconds.

        The finest with no more points than can be distinguished; wider, down to a few points, while there are fewer
        crashes than buckets: a curve of zeros and ones shows when hosts crashed, not how often.

        Args:
            crashes: how many there are in the window.
        """
        most = max(_FEWEST_BUCKETS, min(_MOST_BUCKETS, crashes))
        return self._width(most)

    def aligned(self) -> Selection:
        """The same with ``since`` moved back to a whole bucket, so that live points do not move."""
        widest_s = self._width(_FEWEST_BUCKETS)
        since_s = int(self.since.timestamp()) // widest_s * widest_s
        return replace(self, since=datetime.fromtimestamp(since_s, tz=UTC))

    def _width(self, most: int) -> int:
        span_s = (self.until - self.since).total_seconds()
        return next((width for width in _BUCKETS_S if span_s / width <= most), _BUCKETS_S[-1])

    def of_all_updates(self) -> Selection:
        """The same without filters of exposure, to compare exposed hosts with the rest."""
        return replace(self, filters=replace(self.filters, updates=(), channels=()))

    def window(self, since: datetime, until: datetime) -> Selection:
        """The same filters on another window."""
        return replace(self, since=since, until=until)
