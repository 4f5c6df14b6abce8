"""Crash clusters and their stacks: what a crash looks like, told apart from when it happens.

A cluster is one function of one module. Offsets follow from names, versions and builds by a hash, so the same
fault has the same stack in every fleet, an older driver's offset differs from a newer one's, and the kernel's
own frames move with the OS build, as they do outside.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import pyarrow as pa

from fleetcrash.records import OS_TYPES
from sample_data.simulator.clock import Indices, Numbers, pick
from sample_data.simulator.fault_plan import DOMAINS, Look
from sample_data.simulator.scenario import scenario_folder
from sample_data.simulator.toml_table import Table, read_toml

# One long tail a system; more would never be seen in a fleet of a few days.
CLUSTERS_PER_OS = 60

_WITH_AGENT = "agent"  # this module's version is the agent's own
_COMMON_SHARE = (0.72, 1.0)  # first code of a cluster, then the others: one fault may show under several

FRAMES = pa.list_(pa.struct([("module", pa.string()), ("function", pa.string()), ("offset", pa.int64())]))


@dataclass(frozen=True)
class Cluster:
    """One kind of crash.

    Attributes:
        os_type: where it happens; empty for a scenario's own, which happen where it says.
        function: empty where the module has no symbols.
        offset: of the faulting instruction; None: follows from names and version.
        versions: of the module, newest first; ``agent`` is the agent's version, none the OS build.
        codes: to their weights.
        models: only there; empty is everywhere.
    """

    os_type: str
    module: str
    function: str
    number: int  # among the functions of its module
    offset: int | None
    versions: tuple[str, ...]
    codes: dict[str, float]
    domain: str
    models: tuple[str, ...]


@dataclass(frozen=True)
class Catalogue:
    """All clusters of a simulation.

    Attributes:
        clusters: the background's, OS by OS and commonest first; then the scenario's own, from number ``own`` on.
    """

    clusters: tuple[Cluster, ...]
    own: int
    tops: dict[str, dict[str, tuple[str, ...]]]
    bottoms: dict[str, tuple[str, ...]]

    def domains(self) -> Indices:
        """The position in DOMAINS of each cluster's domain."""
        return np.array([DOMAINS.index(cluster.domain) for cluster in self.clusters], dtype=np.int64)

    def weights(self, os_type: str, models: Sequence[str], zipf: float) -> tuple[Indices, Numbers]:
        """The clusters of a system, and how often each model sees them (models x clusters)."""
        numbers = [n for n, cluster in enumerate(self.clusters) if cluster.os_type == os_type]
        weights = np.zeros((len(models), len(numbers)))
        for rank, number in enumerate(numbers):
            only = self.clusters[number].models
            for row, model in enumerate(models):
                if not only or model in only:
                    weights[row, rank] = (rank + 1.0) ** -zipf
        return np.array(numbers, dtype=np.int64), weights

    def frames(
        self,
        cluster: Indices,
        os_type: np.ndarray,
        os_build: np.ndarray,
        version: np.ndarray,
        code: np.ndarray,
    ) -> tuple[pa.Array, pa.Array, Indices]:
        """Stacks of crashes, innermost frame first, beside their module offsets.

        Each distinct stack is built once and then shared: a fault's ten thousand crashes have a handful.

        Returns:
            distinct stacks; their modules' offsets; and for each crash the number of its stack.
        """
        keys: dict[tuple[Any, ...], int] = {}
        rows = zip(cluster.tolist(), os_type, os_build, version, code, strict=True)
        numbers = np.array([keys.setdefault(key, len(keys)) for key in rows], dtype=np.int64)
        stacks = [self._stack(*key) for key in keys]
        return (
            pa.array([frames for frames, _ in stacks], type=FRAMES),
            pa.array([offset for _, offset in stacks], type=pa.int64()),
            numbers,
        )

    def _stack(
        self, number: int, os_type: str, os_build: str, version: str, code: str
    ) -> tuple[list[dict[str, Any]], int]:
        cluster = self.clusters[number]
        offset = cluster.offset
        if offset is None:
            offset = spread_offset(cluster.module, cluster.function, str(cluster.number), version)
        where = "user" if cluster.domain == "user" else os_type
        tops = self.tops.get(where, {})
        own = {"module": cluster.module, "function": cluster.function or None, "offset": offset}
        caller = {
            "module": cluster.module,
            "function": f"{cluster.function}Worker" if cluster.function else None,
            "offset": spread_offset(cluster.module, "caller", str(cluster.number), version),
        }
        above = [_frame(text, os_build) for text in tops.get(code, tops.get("", ()))]
        below = [_frame(text, os_build) for text in self.bottoms.get(where, ())]
        return [*above, own, caller, *below], offset


def _frame(text: str, os_build: str) -> dict[str, Any]:
    module, function = text.split("!")
    return {"module": module, "function": function, "offset": spread_offset(module, function, os_build)}


def spread_offset(*parts: str) -> int:
    """A plausible offset into a module, always the same for the same parts; bytes, below 2 MiB."""
    digest = hashlib.blake2b("\0".join(parts).encode(), digest_size=4).digest()
    return 0x1000 + int.from_bytes(digest, "big") % 0x1FF000


def make_catalogue(looks: Sequence[Look]) -> Catalogue:
    """The clusters of ``scenarios/shared/crash_clusters.toml``, and those of a scenario's own."""
    background, tops, bottoms = _shared()
    own = tuple(
        Cluster(
            os_type="",
            module=look.module,
            function=look.function,
            number=0,
            offset=look.offset or None,
            versions=(look.module_version or _WITH_AGENT,),
            codes=look.codes,
            domain=look.domain,
            models=(),
        )
        for look in looks
    )
    return Catalogue((*background, *own), len(background), tops, bottoms)


@lru_cache(maxsize=1)
def _shared() -> tuple[tuple[Cluster, ...], dict[str, dict[str, tuple[str, ...]]], dict[str, tuple[str, ...]]]:
    path = scenario_folder() / "shared" / "crash_clusters.toml"
    top = Table(read_toml(path), f"{path.name}: ", seed=0)
    clusters = tuple(
        cluster for os_type in OS_TYPES for cluster in _of_os(os_type, top.tables(os_type))[:CLUSTERS_PER_OS]
    )
    tops, bottoms = top.table("tops"), top.table("bottoms")
    places = (*OS_TYPES, "user")
    return (
        clusters,
        {place: {code: tuple(frames) for code, frames in tops.table(place).values().items()} for place in places},
        {place: bottoms.texts(place, ()) for place in places},
    )


def _of_os(os_type: str, tables: list[Table]) -> list[Cluster]:
    """Clusters of one system, module by module in turn: first functions, then second ones, and so on."""
    clusters: list[tuple[int, int, Cluster]] = []
    for position, table in enumerate(tables):
        names = table.texts("codes")
        codes = {
            code: _COMMON_SHARE[0] if not n else (_COMMON_SHARE[1] - _COMMON_SHARE[0]) / (len(names) - 1)
            for n, code in enumerate(names)
        }
        module, versions = table.text("module"), table.texts("versions", ())
        domain, models = table.text("domain", "kernel", one_of=DOMAINS), table.texts("models", ())
        for number, function in enumerate(table.texts("functions")):
            # The domain tells two entries of one module apart: a hang there is not the crash there.
            mark = number if domain == "kernel" else 100 + number
            cluster = Cluster(os_type, module, function, mark, None, versions, codes, domain, models)
            clusters.append((number, position, cluster))
        table.close()
    return [cluster for _, _, cluster in sorted(clusters, key=lambda item: item[:2])]


def choose_clusters(
    catalogue: Catalogue, os_type: np.ndarray, model: np.ndarray, zipf: float, rng: np.random.Generator
) -> Indices:
    """A background cluster for each crash, by its host's system and model."""
    chosen = np.zeros(len(os_type), dtype=np.int64)
    for name in OS_TYPES:
        rows = np.flatnonzero(os_type == name)
        models, position = np.unique(model[rows].astype(str), return_inverse=True)
        numbers, weights = catalogue.weights(name, list(models), zipf)
        if len(rows):
            chosen[rows] = numbers[pick(rng, weights[position])]
    return chosen


def choose_codes(catalogue: Catalogue, cluster: Indices, rng: np.random.Generator) -> np.ndarray:
    """A code for each crash, by its cluster's weights; None where the cluster has none."""
    drawn = rng.random(len(cluster))
    codes = np.empty(len(cluster), dtype=object)
    for number in np.unique(cluster):
        rows = np.flatnonzero(cluster == number)
        names = list(catalogue.clusters[number].codes)
        weights = np.cumsum(list(catalogue.clusters[number].codes.values()))
        position = np.searchsorted(weights / weights[-1], drawn[rows], side="right")
        codes[rows] = np.array([name or None for name in names], dtype=object)[np.minimum(position, len(names) - 1)]
    return codes


def module_versions(
    catalogue: Catalogue, cluster: Indices, old: np.ndarray, agent: np.ndarray, build: np.ndarray
) -> np.ndarray:
    """The version of each crash's module: the agent's, the driver's newer or older one, or the OS build."""
    versions = np.empty(len(cluster), dtype=object)
    for number in np.unique(cluster):
        rows = np.flatnonzero(cluster == number)
        known = catalogue.clusters[number].versions
        if known == (_WITH_AGENT,):
            versions[rows] = agent[rows]
        elif known:
            versions[rows] = np.where(old[rows], known[-1], known[0])
        else:
            # A module of the system is of its build; Windows writes the major version before it.
            windows = catalogue.clusters[number].os_type == "windows"
            versions[rows] = ("10.0." if windows else "") + build[rows]
    return versions
