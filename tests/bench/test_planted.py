"""Faults planted in the records of another fleet."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from bench.attribution.outcome import guilty_of
from bench.attribution.planted import plant
from bench.attribution.rivals import plant_rival
from fleetcrash.attribution.conditions.grammar import matches
from sample_data.simulator import simulate


@pytest.fixture(scope="module")
def quiet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fleet on which nothing happens."""
    folder = tmp_path_factory.mktemp("quiet") / "fleet"
    simulate("quiet", folder, hosts=1500, seed=3, days=2)
    return folder


@pytest.mark.variants
@pytest.mark.parametrize("seed", range(12))
def test_whoever_is_struck_had_the_update_met_the_condition_and_was_online(
    quiet: Path, tmp_path: Path, seed: int
) -> None:
    out = tmp_path / "planted"
    truth = plant(quiet, out, seed)
    assert json.loads((out / "truth.json").read_text()) == truth
    assert [fault["update_id"] for fault in guilty_of(truth)] == [truth["guilty"]]
    before, after = ({name: _read(folder, name) for name in ("crash", "session")} for folder in (quiet, out))
    hosts = _read(quiet, "host").set_index("host_id")
    installs = _read(quiet, "install").query("update_id == @truth['guilty']")
    installed = installs.set_index("host_id")["applied_at"]
    added = after["crash"].iloc[len(before["crash"]) :]
    struck = 0 if truth["silent"] else truth["strikes"]
    assert len(added) < struck if truth["late"] else len(added) == struck
    for crash in added.itertuples():
        assert crash.received_at > crash.occurred_at > installed[crash.host_id]
        assert matches(truth["condition"], hosts.loc[crash.host_id].dropna().astype(str).to_dict())
    ended = after["session"]["online_until"].iloc[: len(before["session"])]
    cut = ended.ne(before["session"]["online_until"]) & ended.notna()
    assert before["session"]["host_id"][cut].nunique() == truth["hosts_hit"]
    assert (ended[cut] > before["session"]["online_from"][cut]).all()
    was = before["session"]["online_until"][cut]
    assert (was.isna() | (ended[cut] < was)).all()


@pytest.mark.variants
@pytest.mark.parametrize("seed", range(12))
def test_a_rise_that_no_update_brought_strikes_hosts_that_have_something_in_common_while_it_lasts(
    quiet: Path, tmp_path: Path, seed: int
) -> None:
    truth = plant_rival(quiet, tmp_path / "out", seed)
    assert guilty_of(truth) == []
    hosts = _read(tmp_path / "out", "host").set_index("host_id")
    before, after = (
        {name: _read(folder, name) for name in ("crash", "session")} for folder in (quiet, tmp_path / "out")
    )
    begins = pd.Timestamp(truth["at"], tz="UTC")
    added = after["crash"].iloc[len(before["crash"]) :]
    assert len(added) == (0 if truth["how"] == "silent" else truth["hosts_hit"])
    assert (added["occurred_at"] >= begins).all()
    if truth["how"] == "steady":
        assert (added["occurred_at"] <= begins + pd.Timedelta(minutes=truth["lasts_min"])).all()
    ended = after["session"]["online_until"].iloc[: len(before["session"])]
    cut = after["session"].iloc[: len(before["session"])][ended.ne(before["session"]["online_until"]) & ended.notna()]
    assert cut["host_id"].nunique() == truth["hosts_hit"]
    for key, value in truth["where"].items():
        assert (hosts.loc[cut["host_id"], key] == value).all()


@pytest.mark.variants
@pytest.mark.parametrize("course", ["once", "loop", "rate"])
def test_a_fault_that_goes_on_strikes_hosts_more_than_once(quiet, tmp_path, monkeypatch, course) -> None:
    monkeypatch.setattr("bench.attribution.planted._COURSES", (course,))
    monkeypatch.setattr("bench.attribution.planted._SILENT", 0.0)
    monkeypatch.setattr("bench.attribution.planted._RATES_PER_H", (1.5,))
    truth = plant(quiet, tmp_path / "out", 3)
    assert (truth["strikes"] > truth["hosts_hit"]) == (course != "once")
    assert _read(tmp_path / "out", "crash")["crash_id"].is_unique


@pytest.mark.variants
@pytest.mark.parametrize("planter", [plant, plant_rival])
def test_installs_are_lost_of_struck_hosts_and_of_others(quiet, tmp_path, monkeypatch, planter) -> None:
    for module in ("planted", "rivals"):
        monkeypatch.setattr(f"bench.attribution.{module}.LOST", (0.3,))
    monkeypatch.setattr("bench.attribution.planted._HOSTS", (None,))
    planter(quiet, tmp_path / "out", 3)
    told, all_of_them = len(_read(tmp_path / "out", "install")), len(_read(quiet, "install"))
    assert 0.65 * all_of_them < told < 0.75 * all_of_them


def test_of_a_smaller_fleet_nothing_is_told_of_other_hosts(quiet, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("bench.attribution.planted._HOSTS", (900,))
    truth = plant(quiet, tmp_path / "out", 3)
    hosts = set(_read(tmp_path / "out", "host")["host_id"])
    assert len(hosts) == truth["hosts"] == 900
    assert all(set(_read(tmp_path / "out", name)["host_id"]) <= hosts for name in ("crash", "install", "session"))


def test_the_same_seed_plants_the_same(quiet: Path, tmp_path: Path) -> None:
    assert plant(quiet, tmp_path / "a", 5) == plant(quiet, tmp_path / "b", 5)
    for name in ("crash", "session"):
        pd.testing.assert_frame_equal(*(_read(tmp_path / folder, name) for folder in "ab"))


def _read(folder: Path, name: str) -> pd.DataFrame:
    return pd.read_parquet(folder / f"{name}.parquet")
