"""Simulating: the same again by the same seed, and plain words for bad use."""

from __future__ import annotations

import hashlib

import pytest

from fleetcrash.errors import BadArgument, UnknownName, UnreadableSource
from sample_data.simulator import scenario_names, simulate


def digests(folder):
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.iterdir())}


@pytest.mark.parametrize("scenario", ["channel-file-291", "customer-driver"])
def test_another_seed_gives_another_fleet(tmp_path, scenario):
    for name, seed in (("a", 7), ("b", 8)):
        written = simulate(scenario, tmp_path / name, hosts=250, seed=seed, days=2)
    first, other = (digests(tmp_path / name) for name in ("a", "b"))
    assert sorted(first) == [
        "crash.parquet",
        "host.parquet",
        "install.parquet",
        "session.parquet",
        "truth.json",
        "update.parquet",
    ]
    assert all(written.records.values())
    assert not {first[name] for name in first} & {other[name] for name in other}


def test_a_summary_counts_what_was_written(simulated, tmp_path):
    summary = simulate("quiet", tmp_path, hosts=300, seed=1, days=1)
    assert summary.hosts == summary.records["host"] == 300
    assert (summary.end - summary.start).days == 1
    assert summary.guilty is None
    assert summary.struck == 0


def test_a_fleet_of_one_host_is_a_fleet(tmp_path):
    assert simulate("channel-file-291", tmp_path, hosts=1, seed=1).records["host"] == 1


def test_a_scenario_is_known_by_name():
    assert {"channel-file-291", "quiet"} <= set(scenario_names())


@pytest.mark.parametrize(("argument", "value"), [("hosts", 0), ("days", 0), ("seed", -1)])
def test_numbers_out_of_bounds_are_refused(tmp_path, argument, value):
    with pytest.raises(BadArgument, match=f"{argument} is {value}; wanted"):
        simulate("quiet", tmp_path / "out", **{argument: value})
    assert not (tmp_path / "out").exists()


def test_an_unknown_scenario_is_answered_with_the_ones_there_are(tmp_path):
    with pytest.raises(UnknownName, match=r"no scenario 'outage'; there are .*channel-file-291.*quiet"):
        simulate("outage", tmp_path)


def test_a_folder_that_cannot_be_written_to_is_said(tmp_path):
    (tmp_path / "out").write_text("a file")
    with pytest.raises(UnreadableSource, match="cannot be written to"):
        simulate("quiet", tmp_path / "out", hosts=10)


GOOD = """
title = "a scenario"
judged_day = 2024-07-10
[[updates]]
name = "bad"
kind = "content"
channel = "7"
at = 04:00:00
rollout = { by = "push" }
[[faults]]
update = "bad"
condition = { os_type = "windows" }
probability = 0.5
after = { by = "lognormal", median_s = 10 }
module = "bad.sys"
"""


@pytest.mark.parametrize(
    ("found", "instead", "message"),
    [
        ('by = "push"', 'by = "pusk"', r"updates\[0\].rollout.by is 'pusk'; wanted one of push, exponential"),
        ('by = "push"', 'by = "staged"', r"updates\[0\].rollout.stages is None; wanted the rings"),
        ("probability", "probabilty", r"faults\[0\].probability is missing"),
        ("probability = 0.5", "probability = 0.5\nspeed = 1", r"faults\[0\].speed is not known here"),
        ("probability = 0.5", "probability = 5", r"faults\[0\].probability is 5; wanted a number from 0"),
        ("os_type", "os", r"faults\[0\].condition has the key 'os'; a condition knows os_type"),
        ('update = "bad"', 'update = "good"', r"faults\[0\] names the update 'good'; listed are bad"),
        ("04:00:00", '"04:00"', r"updates\[0\].at is '04:00'; wanted a time of day"),
        ("2024-07-10", '"today"', r"judged_day is 'today'; wanted a date"),
        ('kind = "content"', 'kind = "agent"', r"updates\[0\].version is None; wanted the version"),
        ('"a scenario"', "7", r"title is 7; wanted a text"),
        ("[[faults]]", "[[faults]", "is not TOML"),
        ("[[faults]]", "[override.life]\nlunch = 2\n[[faults]]", r"life.lunch is 2; wanted a number from 0"),
        (
            "[[faults]]",
            '[override.reports]\ninstalls_of = ["all"]\n[[faults]]',
            r"installs_of is \['all'\]; wanted",
        ),
    ],
)
def test_a_mistake_in_a_scenario_is_named_by_file_and_key(tmp_path, found, instead, message):
    path = tmp_path / "mine.toml"
    path.write_text(GOOD)
    assert str(simulate(path, tmp_path / "good", hosts=50, days=1).guilty).startswith("content-7-")
    path.write_text(GOOD.replace(found, instead, 1))
    with pytest.raises((BadArgument, UnreadableSource), match=rf"mine.toml.*{message}"):
        simulate(path, tmp_path / "out", hosts=50)
    assert not (tmp_path / "out").exists()
