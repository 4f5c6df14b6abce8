"""The committed sample is what its README says."""

from __future__ import annotations

import re
from pathlib import Path

import pyarrow.parquet as pq
import pytest

import sample_data
from sample_data.simulator import simulate

FOLDER = Path(sample_data.__file__).parent


@pytest.mark.slow
def test_the_sample_is_what_its_command_makes(tmp_path):
    """Records and not bytes: another release of pyarrow may pack the same table in another way."""
    command = r"fleetcrash simulate (\S+) --out sample_data/fleet --hosts (\d+) --seed (\d+)"
    scenario, hosts, seed = re.findall(command, (FOLDER / "README.md").read_text())[0]
    simulate(scenario, tmp_path, hosts=int(hosts), seed=int(seed))
    names = sorted(path.name for path in (FOLDER / "fleet").iterdir())
    assert names == sorted(path.name for path in tmp_path.iterdir())
    for name in names:
        made, kept = tmp_path / name, FOLDER / "fleet" / name
        if name.endswith(".parquet"):
            assert pq.read_table(made).equals(pq.read_table(kept)), name
        else:
            assert made.read_text() == kept.read_text()


def test_the_sample_stays_small():
    assert sum(path.stat().st_size for path in (FOLDER / "fleet").iterdir()) <= 3_000_000
