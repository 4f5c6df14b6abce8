"""What may go wrong around a load: the disk fills up, somebody interrupts it."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace

import pytest

from fleetcrash.errors import LakeError
from fleetcrash.store import Lake
from fleetcrash.store.housekeeping import compact
from ingest.commit import Intake, Judged
from ingest.load import load
from ingest.report import Counts
from tests.ingest.conftest import NOW, answers, line, rows_of, write

ROOT = Path(__file__).parents[2]
LINES = [line("crash", crash_id=f"c{n}", tags={"note": os.urandom(200).hex()}) for n in range(5000)]


@pytest.fixture
def small_disk() -> Iterator[Path]:
    """A file system of 2 MiB; not in a folder of pytest, which could not clear away one that a killed run leaves."""
    with TemporaryDirectory(prefix="fleetcrash-disk-") as folder:
        command = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", folder]
        if shutil.which("mount") is None or subprocess.run(command, capture_output=True, check=False).returncode:
            pytest.skip("may not mount a file system here")
        try:
            yield Path(folder)
        finally:
            subprocess.run(["umount", folder], check=True)


@pytest.mark.slow
def test_a_full_disk_is_said_and_the_same_load_with_more_room_completes_it(small_disk, tmp_path, monkeypatch):
    monkeypatch.setattr("ingest.ndjson.BATCH_BYTES", 400_000)
    path = write(tmp_path / "in.ndjson", LINES)
    lake = Lake.create(small_disk / "lake")
    for _ in range(2):
        with pytest.raises(LakeError, match=r"the disk is full .*run the same command again"):
            load(lake, [path], now=NOW)
    assert len(answers(lake)["crashes"]) < len(LINES)
    subprocess.run(["mount", "-o", "remount,size=200m", str(small_disk)], check=True)
    report = load(lake, [path], now=NOW)
    assert report.read == len(LINES)
    assert len(answers(lake)["crashes"]) == len(LINES)


def test_a_compaction_on_a_full_disk_says_so_and_leaves_the_lake_whole(small_disk, tmp_path):
    lake = Lake.create(small_disk / "lake")
    for part in range(2):
        load(lake, [write(tmp_path / f"{part}.ndjson", LINES[part * 100 : part * 100 + 100])], now=NOW)
    filler = small_disk / "filler"
    filler.write_bytes(bytes(shutil.disk_usage(small_disk).free))
    with pytest.raises(LakeError, match=r"the disk is full .*What is in the lake is whole"):
        compact(lake)
    assert len(answers(lake)["crashes"]) == 200
    filler.unlink()
    compact(lake)
    assert len(answers(lake)["crashes"]) == 200


def test_a_disk_that_is_nearly_full_is_said_to_be_before_anything_is_written(lake, tmp_path, monkeypatch):
    monkeypatch.setattr("fleetcrash.store.lake.shutil.disk_usage", lambda _: SimpleNamespace(free=1000))
    with pytest.raises(LakeError, match="the disk is full"):
        load(lake, [write(tmp_path / "in.ndjson", LINES[:3])], now=NOW)
    assert not any(lake.files(name) for name in ("crash", "batch"))


@pytest.mark.slow
def test_no_batch_is_committed_after_one_that_could_not_be(lake, tmp_path, monkeypatch):
    monkeypatch.setattr("ingest.ndjson.BATCH_BYTES", 2000)
    path = write(tmp_path / "in.ndjson", LINES[:40])
    commit, tried = Intake.commit, []

    def failing(self: Intake, judged: Judged) -> Counts:
        tried.append(judged.batch_id)
        if len(tried) == 3:
            raise LakeError("no room")
        return commit(self, judged)

    with monkeypatch.context() as patch:
        patch.setattr(Intake, "commit", failing)
        with pytest.raises(LakeError, match="no room"):
            load(lake, [path], now=NOW)
    assert len(tried) == 3
    assert {row["batch_id"] for row in rows_of(lake, "batch")} == set(tried[:2])
    report = load(lake, [path], now=NOW)
    assert (report.read, len(answers(lake)["crashes"])) == (40, 40)


@pytest.mark.slow
def test_an_interrupted_load_ends_quietly_and_is_completed_by_the_same_one(tmp_path):
    lake = tmp_path / "lake"
    command = [sys.executable, "-m", "cli", "load", "-", "--lake", str(lake)]
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as one:
        assert one.stdin is not None
        one.stdin.write(b"".join(each + b"\n" for each in LINES))
        one.stdin.flush()
        deadline = time.monotonic() + 60
        while not lake.is_dir():  # until it has begun
            assert time.monotonic() < deadline
            time.sleep(0.05)
        one.send_signal(signal.SIGINT)
        out, err = one.communicate(timeout=60)
    assert one.returncode == 130
    assert b"Traceback" not in err
    assert out == b""
    path = write(tmp_path / "in.ndjson", LINES)
    load(Lake.create(lake), [path], now=NOW)
    assert len(answers(Lake.open(lake))["crashes"]) == len(LINES)
