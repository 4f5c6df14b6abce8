"""Small fleets, simulated once and read with DuckDB, as the tests of this folder want them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import duckdb
import pytest

from sample_data.simulator import simulate

KINDS = ("host", "update", "install", "session", "crash")
HOSTS = 2_000


class Simulated:
    """One simulation's files, as tables of an in-memory database."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.truth = json.loads((folder / "truth.json").read_text())
        self.database = duckdb.connect()
        self.database.execute("SET threads = 1; SET timezone = 'UTC'")
        for kind in KINDS:
            self.database.execute(f"CREATE VIEW \"{kind}\" AS FROM '{folder / kind}.parquet'")

    def rows(self, query: str, **parameters) -> list[tuple[Any, ...]]:
        return self.database.execute(query, parameters).fetchall()

    def one(self, query: str, **parameters):
        return self.rows(query, **parameters)[0][0]


@pytest.fixture(scope="session")
def simulated(tmp_path_factory):
    """A scenario with a seed, simulated at most once in a run."""
    made: dict[tuple[str, int], Simulated] = {}

    def get(scenario: str, seed: int) -> Simulated:
        if (scenario, seed) not in made:
            folder = tmp_path_factory.mktemp(f"{scenario}-{seed}")
            simulate(scenario, folder, hosts=HOSTS, seed=seed)
            made[scenario, seed] = Simulated(folder)
        return made[scenario, seed]

    return get


@pytest.fixture(params=[1, 2, 3])
def seed(request):
    return request.param


# The two that measure the detector with a few seeds, the others with one.
FLEETS = [(scenario, seed) for scenario in ("channel-file-291", "quiet") for seed in (1, 2, 3)]
FLEETS += [(scenario, 1) for scenario in ("agent-upgrade", "no-installs", "region-outage", "two-updates")]


@pytest.fixture(params=FLEETS, ids=lambda fleet: f"{fleet[0]}-{fleet[1]}")
def fleet(simulated, request):
    """Every scenario."""
    return simulated(*request.param)


@pytest.fixture
def outage(simulated, seed):
    """Channel File 291 with each of a few seeds."""
    return simulated("channel-file-291", seed)
