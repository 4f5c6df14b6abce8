"""A right name stands: on simulated fleets in which it was taken back once."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from fleetcrash.attribution.backtest import incidents
from fleetcrash.store import Lake


@pytest.mark.slow
@pytest.mark.parametrize(
    ("scenario", "hosts", "seed"),
    [("went-dark", 20_000, 3284068269), ("agent-upgrade", 4000, 2296951456), ("rolled-back", 4000, 216815757)],
    ids=[
        "of a few hosts that fell silent nobody tells of the install",
        "an agent's fault was latent, and everybody has older updates",
        "later hosts say that it was latent, and the first ones say nothing",
    ],
)
def test_a_right_name_is_not_taken_back(
    simulated: Callable[..., Lake], tmp_path: Path, scenario: str, hosts: int, seed: int
):
    (found,) = incidents(simulated(scenario, hosts=hosts, seed=seed))["incidents"]
    guilty = json.loads((tmp_path / "fleet" / "truth.json").read_text())["guilty"]
    names = [turn["update_id"] for turn in found["history"]]
    assert set(names[names.index(guilty) :]) == {guilty} >= set(names) - {None}
