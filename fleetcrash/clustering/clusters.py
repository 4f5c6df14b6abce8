"""Crash clusters of a lake as of an instant: which there are, since when, which hosts they hit, what came before.

A query finds the distinct shapes among the crashes, the rules sign each shape once, and the signatures go back into the
engine as a kept table, where SQL counts. None of this happens for a question whose answer is cached. Other queries also
read the kept tables ``shaped_crashes`` (each crash with its shape) and ``signed_shapes`` (each shape with its cluster).
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime
from functools import cache
from hashlib import sha256
from importlib.resources import files
from typing import Any

import pyarrow as pa

from fleetcrash.clustering.rules import sign
from fleetcrash.clustering.signature import Role, Shape, Signature
from fleetcrash.clustering.states import Seen, State, baseline_from, state_of
from fleetcrash.errors import UnknownName
from fleetcrash.store.engine import Engine

Rows = list[dict[str, Any]]


@dataclass(frozen=True)
class Variant:
    """Crashes of a cluster that share one signature."""

    signature: str
    crashes: int


@dataclass(frozen=True)
class Cluster:
    """Crashes that are judged one fault.

    Attributes:
        hosts, crashes: exact counts of distinct hosts and crashes; hosts by a number, as in ``shaped_crashes.sql``.
        first_seen, last_seen: placed as the analysis places crashes, aware UTC.
        variants: most crashes first. os_type: crashes by operating system.
    """

    cluster_id: str
    family: str
    title: str
    crashes: int
    hosts: int
    first_seen: datetime
    last_seen: datetime
    state: State
    variants: tuple[Variant, ...]
    os_type: Mapping[str, int]


@dataclass(frozen=True)
class SeenFrame:
    """A frame as it was reported, with its name as it is compared and its role."""

    module: str | None
    function: str | None
    offset: int | None
    name: str
    role: Role


@dataclass(frozen=True)
class Sample:
    """One crash with its stack, innermost frame first, as far as the rules read it."""

    crash_id: str
    host_id: str
    placed_at: datetime
    code: str | None
    module: str | None
    signature: Signature
    frames: tuple[SeenFrame, ...]


_SIGNED = pa.schema(
    [
        ("shape", pa.uint64()),
        *((name, pa.string()) for name in ("cluster_id", "signature", "family", "title")),
    ]
)


@dataclass
class Signatures:
    """Signatures made so far, by shape. One object per process, so that no shape is signed twice."""

    by_shape: dict[int, tuple[str, str]] = field(default_factory=dict)
    titles: dict[str, tuple[str, str]] = field(default_factory=dict)

    def add(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Sign shapes, each with the columns that the rules read."""
        for row in rows:
            signature = sign(Shape.of(row))
            cluster_id = signature.cluster_id
            self.by_shape[row["shape"]] = (cluster_id, signature.variant)
            self.titles[cluster_id] = (signature.family, signature.title)

    def as_table(self) -> pa.Table:
        """The signatures, one row per shape: shape, cluster_id, signature, family, title."""
        rows = [(shape, *names, *self.titles[names[0]]) for shape, names in self.by_shape.items()]
        return pa.Table.from_pylist([dict(zip(_SIGNED.names, row, strict=True)) for row in rows], schema=_SIGNED)


class Clusters:
    """The clusters of the crashes that an engine knows, as of its instant.

    Lazy: nothing is queried before the first call.

    Args:
        engine: read as of its instant; after that has changed, make a new object.
        known: signatures from earlier looks; new ones are added to it.
    """

    # Names of the tables that ``keep`` keeps.
    TABLES = ("shaped_crashes", "signed_shapes", "shapes_seen", "known_exposures")

    def __init__(self, engine: Engine, known: Signatures | None = None) -> None:
        self._engine = engine
        self._known = Signatures() if known is None else known
        self._kept = False
        self._answers: dict[Hashable, Rows] = {}

    def keep(self) -> None:
        """Have the engine keep ``TABLES`` for queries that read them."""
        if self._kept:
            return
        self._engine.keep("shaped_crashes", "clustering/shaped_crashes")
        self._engine.keep_made("signed_shapes", self._sign, of="clustering/shaped_crashes", by=_rules())
        self._engine.keep("shapes_seen", "clustering/shapes_seen")
        self._engine.keep("known_exposures", "known_exposures")
        self._kept = True

    def _sign(self) -> pa.Table:
        self._known.add(self._engine.rows("clustering/shapes_unsigned", signed=list(self._known.by_shape)))
        return self._known.as_table()

    def list(self, *, selected: bool = False) -> tuple[Cluster, ...]:
        """Every cluster, most hosts first, then by id.

        Args:
            selected: only crashes in the engine's kept table ``selected_crashes``: counts and last_seen are of these,
                first_seen and state of all known crashes. Clusters without such a crash are left out.
        """
        return self._clusters(selected=selected)

    def one(self, cluster_id: str) -> Cluster:
        """One cluster, with all known crashes.

        Raises:
            UnknownName: no known crash is in it.
        """
        found = self._clusters(cluster_id=cluster_id)
        if not found:
            raise UnknownName(f"No crash cluster {cluster_id!r} is known. List them with `fleetcrash clusters`.")
        return found[0]

    def sample(self, cluster_id: str) -> Sample:
        """The earliest crash of a cluster's largest variant.

        Raises:
            UnknownName: no known crash is in it.
        """
        found = self._rows("sample_of_cluster", cluster_id=cluster_id)
        if not found:
            raise UnknownName(f"No crash cluster {cluster_id!r} is known. List them with `fleetcrash clusters`.")
        return self.stack(found[0]["crash_id"])

    def stack(self, crash_id: str) -> Sample:
        """A crash with its stack and its signature.

        Raises:
            UnknownName: the crash is not known.
        """
        found = self._engine.rows("clustering/crash_known", crash_id=crash_id)
        if not found:
            raise UnknownName(f"No crash {crash_id!r} is known.")
        row = found[0]
        signature = sign(Shape.of(row))
        told = [frame or {} for frame in row["frames"] or ()]
        frames = tuple(
            SeenFrame(raw.get("module"), raw.get("function"), raw.get("offset"), named.name, named.role)
            for raw, named in zip(told, signature.frames, strict=False)  # the rules read no more than MAX_FRAMES
        )
        return Sample(row["crash_id"], row["host_id"], row["placed_at"], row["code"], row["module"], signature, frames)

    def precursors(self, cluster_id: str) -> pa.Table:
        """The last five updates that came before the cluster's first crash, the nearest first.

        Returns:
            update_id, kind, version, released_at, installed_at (on the host of that crash, may be null), came_at (the
            later of the two) and lead_s, seconds from came_at to the crash.
        """
        return self._table("updates_before_cluster", cluster_id=cluster_id, most=5)

    def _table(self, query: str, **parameters: Any) -> pa.Table:
        self.keep()
        return self._engine.table(f"clustering/{query}", **parameters)

    def _rows(self, query: str, **parameters: Any) -> Rows:
        return self._table(query, **parameters).to_pylist()

    def _once(self, query: str, **parameters: Any) -> Rows:
        """Rows that do not depend on the selection, so that they are asked for once."""
        key = (query, *sorted(parameters.items()))
        if key not in self._answers:
            self._answers[key] = self._rows(query, **parameters)
        return self._answers[key]

    def _clusters(self, *, cluster_id: str | None = None, selected: bool = False) -> tuple[Cluster, ...]:
        as_of = self._engine.as_of
        if as_of is None:
            return ()
        watched_from = self._once("watched_from")[0]["watched_from"] or as_of
        since = baseline_from(as_of, watched_from)
        if selected:
            counted = self._rows("counts_by_cluster_selected")
            split = self._table("counts_by_variant_os_selected")
        else:
            counted = self._rows("counts_by_cluster", cluster_id=cluster_id)
            split = self._table("counts_by_variant_os", cluster_id=cluster_id)
        # Not kept for single clusters, of which there may be any number.
        ask = self._once if cluster_id is None else self._rows
        known = {row["cluster_id"]: row for row in ask("seen_by_cluster", cluster_id=cluster_id, since=since)}
        variants: dict[str, dict[str, int]] = {}
        systems: dict[str, dict[str, int]] = {}
        for row in split.to_pylist():
            for sums, name in ((variants, row["signature"]), (systems, row["os_type"])):
                of_cluster = sums.setdefault(row["cluster_id"], {})
                of_cluster[name] = of_cluster.get(name, 0) + row["crashes"]
        titles = {row["cluster_id"]: row for row in self._once("titles_by_cluster")}
        return tuple(
            self._cluster(
                {**known[row["cluster_id"]], **row, **titles[row["cluster_id"]]},
                variants[row["cluster_id"]],
                systems[row["cluster_id"]],
                as_of,
                watched_from,
            )
            for row in counted
        )

    def _cluster(
        self,
        row: Mapping[str, Any],
        variants: Mapping[str, int],
        systems: Mapping[str, int],
        as_of: datetime,
        watched_from: datetime,
    ) -> Cluster:
        """One cluster from a row of counts and its crashes by variant and by operating system."""
        seen = Seen(**{name.name: row[name.name] for name in fields(Seen)})
        ranked = sorted(variants.items(), key=lambda one: (-one[1], one[0]))
        return Cluster(
            cluster_id=row["cluster_id"],
            family=row["family"],
            title=row["title"],
            crashes=row["crashes"],
            hosts=row["hosts"],
            first_seen=row["first_seen"],
            last_seen=row["last_seen"],
            state=state_of(seen, as_of=as_of, watched_from=watched_from),
            variants=tuple(Variant(signature, crashes) for signature, crashes in ranked),
            os_type=systems,
        )


@cache
def _rules() -> str:
    """Identifies the rules: a digest of the code and the lists of this package."""
    digest = sha256()
    package = files("fleetcrash.clustering")
    for folder in (package, package / "lists"):
        for file in sorted(folder.iterdir(), key=lambda one: one.name):
            if file.is_file():
                digest.update(file.read_bytes())
    return digest.hexdigest()
