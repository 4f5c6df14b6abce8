"""Simulated fleets. Two small ones are loaded once: the outage of Channel File 291, and a quiet one."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from fleetcrash.store import Lake
from ingest.load import load
from sample_data.simulator import simulate

HOSTS, DAYS, SEED = 800, 2, 1


@dataclass(frozen=True)
class Fleet:
    """A simulated fleet: its records, the lake that holds them, and the truth."""

    folder: Path
    lake: Lake
    truth: dict


def _fleet(root: Path, scenario: str) -> Fleet:
    folder = root / scenario
    simulate(scenario, folder, hosts=HOSTS, seed=SEED, days=DAYS)
    lake = Lake.create(root / f"lake-{scenario}")
    load(lake, [folder], now=datetime.now(UTC))
    return Fleet(folder, lake, json.loads((folder / "truth.json").read_text()))


@pytest.fixture(scope="package")
def outage(tmp_path_factory) -> Fleet:
    return _fleet(tmp_path_factory.mktemp("outage"), "channel-file-291")


@pytest.fixture(scope="package")
def quiet(tmp_path_factory) -> Fleet:
    return _fleet(tmp_path_factory.mktemp("quiet"), "quiet")


@pytest.fixture
def simulated(tmp_path) -> Callable[..., Lake]:
    """Makes the lake of a scenario, a number of hosts and a seed, with a day before the one that is judged."""

    def make(scenario: str, *, hosts: int, seed: int) -> Lake:
        simulate(scenario, tmp_path / "fleet", hosts=hosts, seed=seed, days=2)
        lake = Lake.create(tmp_path / "lake")
        load(lake, [tmp_path / "fleet"], now=datetime.now(UTC))
        return lake

    return make
