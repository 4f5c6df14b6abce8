"""A load that is killed at any moment, and then run again, leaves the lake of one load."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from fleetcrash.errors import LakeError
from fleetcrash.store import Lake
from ingest.load import load
from tests.ingest.conftest import NOW, SOUND, answers, line, rows_of, write

LINES = [
    *(line("crash", crash_id=f"c{n % 40}", received_at=f"2024-07-19T04:{10 + n % 50}:00Z") for n in range(60)),
    *(line("install", host_id=f"h{n}") for n in range(60)),
    *(line("session", host_id=f"h{n}") for n in range(60)),
    *(line("crash", crash_id=f"bad{n}", os_type="beos") for n in range(20)),
]
MIXED = [LINES[(n * 7) % len(LINES)] for n in range(len(LINES))]  # 7 and 200 share no divisor: each line once
BATCH_BYTES = 12_000  # some four batches

CHILD = """
import sys
from datetime import datetime, UTC
from fleetcrash.store import Lake
from ingest import ndjson
from ingest.load import load
ndjson.BATCH_BYTES = int(sys.argv[3])
now = datetime(2024, 7, 20, tzinfo=UTC)
load(Lake.open(sys.argv[1]), [sys.argv[2]], now=now, progress=lambda at: print(at.read, flush=True))
"""


def tables(lake: Lake) -> dict[str, int]:
    return {name: len(rows_of(lake, name)) for name in [*SOUND, "quarantine", "batch"]}


@pytest.fixture(autouse=True)
def _small_batches(monkeypatch):
    monkeypatch.setattr("ingest.ndjson.BATCH_BYTES", BATCH_BYTES)


@pytest.fixture(scope="module")
def of_one_load(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    path = write(folder / "records.ndjson", MIXED)
    lake = Lake.create(folder / "lake")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ingest.ndjson.BATCH_BYTES", BATCH_BYTES)
        report = load(lake, [path], now=NOW)
    assert report.quarantined == 20
    assert report.duplicates == 20
    return path, answers(lake), tables(lake)


@pytest.mark.slow
def test_kill_9_in_a_load_then_the_same_load(lake, of_one_load):
    path, expected, expected_tables = of_one_load
    command = [sys.executable, "-c", CHILD, str(lake.root), str(path), str(BATCH_BYTES)]
    root = Path(__file__).parents[2]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=root, env={**os.environ, "PYTHONPATH": "."}) as child:
        assert child.stdout is not None
        child.stdout.readline()  # the first batch is in, the second is under way
        child.send_signal(signal.SIGKILL)
    done = len(rows_of(lake, "batch"))
    assert 1 <= done < expected_tables["batch"]
    load(lake, [path], now=NOW)
    assert answers(lake) == expected
    assert tables(lake) == expected_tables


@pytest.mark.slow
@pytest.mark.parametrize("fatal", [2, 5])
def test_a_load_that_dies_between_two_tables_then_the_same_load(lake, of_one_load, monkeypatch, fatal):
    path, expected, expected_tables = of_one_load
    commits = 0
    append = Lake.append

    def dying(self, *args, **named):
        nonlocal commits
        commits += 1
        if commits == fatal:
            raise LakeError("the disk is full")
        return append(self, *args, **named)

    with monkeypatch.context() as patch:
        patch.setattr(Lake, "append", dying)
        with pytest.raises(LakeError):
            load(lake, [path], now=NOW)
    load(lake, [path], now=NOW)
    assert answers(lake) == expected
    assert tables(lake) == expected_tables


def test_a_second_try_judges_by_the_clock_of_the_first(lake, tmp_path, monkeypatch):
    path = write(
        tmp_path / "ahead.ndjson",
        [line("crash"), line("install", applied_at="2024-07-21T12:00:00Z"), line("host")],
    )
    append = Lake.append

    def dying(self, table, *args, **named):
        if table == "host":
            raise LakeError("the disk is full")
        return append(self, table, *args, **named)

    with monkeypatch.context() as patch:
        patch.setattr(Lake, "append", dying)
        with pytest.raises(LakeError):
            load(lake, [path], now=NOW)
    report = load(lake, [path], now=NOW.replace(day=25))
    assert (report.accepted, report.reasons) == (2, {"future_time:applied_at": 1})
    assert len(rows_of(lake, "quarantine")) == 1


@pytest.mark.slow
def test_records_of_a_batch_that_died_are_seen_once_another_batch_brings_them(lake, tmp_path, monkeypatch):
    died = write(tmp_path / "died.ndjson", [line("crash"), line("install")])
    append = Lake.append

    def dying(self, table, *args, **named):
        if table == "install":
            raise LakeError("the disk is full")
        return append(self, table, *args, **named)

    with monkeypatch.context() as patch:
        patch.setattr(Lake, "append", dying)
        with pytest.raises(LakeError):
            load(lake, [died], now=NOW)
    assert [len(rows) for rows in answers(lake).values() if rows] == []
    other = write(tmp_path / "other.ndjson", [line("crash"), line("crash", crash_id="new")])
    report = load(lake, [other], now=NOW)
    assert (report.accepted, report.duplicates) == (1, 1)
    assert len(answers(lake)["crashes"]) == len(rows_of(lake, "crash")) == 2
    assert answers(lake)["installs"] == []
    report = load(lake, [died], now=NOW)
    assert (report.read, report.accepted, report.duplicates) == (2, 2, 0)
    assert (len(answers(lake)["crashes"]), len(answers(lake)["installs"])) == (2, 1)
