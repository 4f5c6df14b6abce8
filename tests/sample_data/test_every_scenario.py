"""What holds of every scenario, on one small fleet each: records that are accepted, and a truth that they bear out."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fleetcrash.store import Lake
from ingest.load import load
from sample_data.simulator import scenario_names, simulate
from sample_data.simulator.condition import WITH_UPDATE, fits
from sample_data.simulator.scenario import read_scenario
from tests.sample_data.conftest import KINDS, Simulated
from tests.sample_data.test_contract import BY_THE_CLOCK, broken

pytestmark = pytest.mark.slow

SEED = 4


def play(scenario: str, folder: Path) -> None:
    """Simulate the judged day; where what matters begins on the day before, that one too."""
    first = min((update.start.day for update in read_scenario(scenario, SEED).updates), default=0)
    simulate(scenario, folder, hosts=500, seed=SEED, days=1 - first)


@pytest.fixture(scope="session")
def played(tmp_path_factory):
    """Every scenario, simulated once."""
    folder = tmp_path_factory.mktemp("played")
    for name in scenario_names():
        play(name, folder / name)
    return folder


@pytest.mark.parametrize("scenario", scenario_names())
def test_the_same_seed_gives_the_same_bytes(played, tmp_path, scenario):
    play(scenario, tmp_path)
    written = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert len(written) == len(KINDS) + 1
    assert written == {path.name: path.read_bytes() for path in (played / scenario).iterdir()}


@pytest.mark.parametrize("scenario", scenario_names())
def test_no_record_breaks_a_rule(played, scenario):
    made = Simulated(played / scenario)
    assert broken(made, without=BY_THE_CLOCK if "wrong_clocks" in made.truth else ()) == []


def test_no_record_of_any_scenario_is_kept_aside(played, tmp_path):
    for kind in KINDS:
        tables = [pq.read_table(folder / f"{kind}.parquet") for folder in sorted(played.iterdir())]
        pq.write_table(pa.concat_tables(tables), tmp_path / f"{kind}.parquet")
    report = load(Lake.create(tmp_path / "lake"), [tmp_path], now=datetime.now(UTC))
    assert report.reasons == {}
    assert report.read > 500 * len(scenario_names())


@pytest.mark.parametrize("scenario", scenario_names())
def test_hosts_crash_of_a_fault_only_where_and_when_the_truth_says(played, scenario):
    made, plan = Simulated(played / scenario), read_scenario(scenario, SEED)
    guilty = [fault for fault in plan.faults if fault.factor >= 1]
    answers = made.truth.get("faults", [made.truth])[: len(guilty)]
    assert (made.truth["guilty"] is None) == (not guilty)
    for fault, answer in zip(guilty, answers, strict=True):
        assert answer["guilty_kind"] == next(one.kind for one in plan.updates if one.name == fault.update)
        assert all(moment > answer["released_at"] for moment in answer["fault_times"])
        if not fault.look.module:
            continue
        crashes = made.rows(
            """
            SELECT crash.* EXCLUDE (host_id), host.* EXCLUDE (os_type, os_version, os_build, agent_version)
            FROM crash JOIN host USING (host_id) WHERE module = $module AND module_offset = $offset""",
            module=fault.look.module,
            offset=fault.look.offset,
        )
        names = [column[0] for column in made.database.description]
        for crash in (dict(zip(names, row, strict=True)) for row in crashes):
            assert crash["occurred_at"] > datetime.fromisoformat(answer["released_at"])
            for field, wanted in answer["condition"].items():
                assert field == WITH_UPDATE or fits(crash[field], wanted), (field, crash)
