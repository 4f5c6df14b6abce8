"""Whom an update hit and whom it may yet: each host's state as of an instant, by the contract's order of states."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from fleetcrash.attribution.conditions.grammar import Condition, matcher
from fleetcrash.attribution.facts.reading import keep_known
from fleetcrash.store.engine import Engine


class State(StrEnum):
    """What became of a host; the first that fits, in this order. Pending hosts have not been exposed."""

    RECOVERED = "recovered"
    DARK = "dark"
    CRASHED = "crashed"
    CLEARED = "cleared"
    AT_RISK = "at_risk"
    PENDING = "pending"


_HARDLY_ANY = 0.1  # so few crash, beside those that go dark

HOST_COLUMNS = (
    "host_id",
    "state",
    "os_type",
    "os_build",
    "agent_version",
    "region",
    "site",
    "installed_at",
    "crashed_at",
    "last_seen_at",
)


@dataclass(frozen=True)
class Impact:
    """The hosts that an update concerns, as of an instant.

    Attributes:
        hosts: one row per host that matches the condition: HOST_COLUMNS and more.
    """

    hosts: pa.Table

    def count(self, state: State) -> int:
        """How many hosts are in the state."""
        return int(pc.sum(pc.equal(self.hosts["state"], state.value)).as_py() or 0)

    def state_of(self, host_id: str) -> State | None:
        """The state of a host; None if the update does not concern it."""
        found = self.hosts.filter(pc.equal(self.hosts["host_id"], host_id))["state"].to_pylist()
        return State(found[0]) if found else None

    @property
    def exposed(self) -> int:
        """How many hosts have been exposed."""
        return len(self.hosts) - self.count(State.PENDING)

    def counts(self) -> dict[str, int]:
        """The contract's impact: exposed, then each state."""
        return {"exposed": self.exposed, **{state.value: self.count(state) for state in State}}


@dataclass(frozen=True)
class Harm:
    """What an update did to hosts in some time, by what each was when it was struck, whatever became of it since.

    Attributes:
        hosts: one row per host that was exposed by the end of it: host_id, installed_at.
        crashes: how many happened while exposed. hosts_crashed, hosts_dark: how many did while exposed, back or not.
    """

    hosts: pa.Table
    crashes: int
    hosts_crashed: int
    hosts_dark: int


def impact_of(engine: Engine, update_id: str, condition: Condition | None) -> Impact:
    """The state of every host that an update concerns, as of the engine's instant.

    Args:
        condition: hosts that do not match it by their attributes of the instant are left out; None: every one.
    """
    keep_known(engine)
    hosts = engine.table("host_states", update_id=update_id)
    return Impact(hosts.filter(pa.array(matching(engine, hosts, condition or {}))))


def harm_of(
    engine: Engine,
    update_id: str,
    condition: Condition | None,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
) -> Harm:
    """What an update did to hosts from one instant to another.

    Args:
        condition: hits of hosts that did not match it then are left out, and hosts that matched it neither when they
            were hit nor in the end; None: every one.
        since, until: None: from the first install on, up to the engine's instant.
    """
    keep_known(engine)
    told = dict(condition or {})
    beside = told.pop("with_update", None)
    rows = engine.table("hits_of_update", update_id=update_id, with_update=beside, since=since, until=until)
    rows = rows.filter(pa.array(matching(engine, rows, told)))
    crashed, dark = (rows.filter(pc.equal(rows["hit"], hit))["host_id"] for hit in ("crash", "dark"))
    hosts = rows.group_by(["host_id", "installed_at"]).aggregate([]).sort_by("host_id")
    return Harm(hosts, len(crashed), pc.count_distinct(crashed).as_py(), pc.count_distinct(dark).as_py())


def is_silence(hosts_crashed: float, hosts_dark: float) -> bool:
    """Whether so few hosts crash, beside those that go dark, that the fault is to fall silent."""
    return hosts_crashed < _HARDLY_ANY * hosts_dark


def matching(engine: Engine, hosts: pa.Table, condition: Condition) -> NDArray[np.bool_]:
    """Which rows of a table of hosts match a condition by what stands there, as an array of bool."""
    keep = np.ones(len(hosts), bool)
    for key, text in condition.items():
        if key == "with_update":
            having = set(engine.table("hosts_exposed_now", update_id=text)["host_id"].to_pylist())
            keep &= np.array([host in having for host in hosts["host_id"].to_pylist()], bool)
            continue
        values = hosts[key].combine_chunks().dictionary_encode()
        accepts = matcher(text)
        accepted = np.array([*(accepts(value) for value in values.dictionary.to_pylist()), False])
        codes = values.indices.fill_null(len(accepted) - 1).to_numpy(zero_copy_only=False)
        keep &= accepted[codes]
    return keep
