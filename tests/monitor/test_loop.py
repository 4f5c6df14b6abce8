"""A small outage that becomes known bit by bit: whoever watched, from when on, however they ended, says the same."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from fleetcrash.attribution.backtest import incidents
from fleetcrash.attribution.facts.reading import read_news
from fleetcrash.attribution.reporting.report import document
from fleetcrash.store import Engine, Lake
from fleetcrash.store.forgetting import forget
from fleetcrash.times import time_text
from ingest.load import append_tables
from monitor import loop
from monitor.alerts.following import Following
from monitor.loop import Monitor, watch
from tests.dashboard import fleet
from tests.dashboard.fleet import append_rows
from tests.fleetcrash.short import Tables, plain, short_records
from tests.fleetcrash.worlds import World, at, crash_of, known_by, lake_of

ROOT = Path(__file__).parents[2]
PATIENCE_S = 60.0  # for another process; nothing takes so long but a machine that is very busy


@pytest.fixture(scope="module")
def records() -> Tables:
    """All records of the small outage, with the time at which each was known."""
    return short_records()


class Fleet:
    """A lake that learns of the records as time goes by."""

    def __init__(self, lake: Lake, records: Tables) -> None:
        self.lake = lake
        self._records = records
        self._told_until = datetime(1900, 1, 1, tzinfo=UTC)

    def tell(self, minutes: float, *, but: Callable[[pa.Table], pa.ChunkedArray] | None = None) -> None:
        """Load what became known since the last time, up to so many minutes after the release.

        Args:
            but: crashes that are held back.
        """
        until = fleet.RELEASED + timedelta(minutes=minutes)
        part = {}
        for kind, table in self._records.items():
            known = table["known_at"]
            fresh = pc.and_(
                pc.greater(known, pa.scalar(self._told_until, known.type)),
                pc.less_equal(known, pa.scalar(until, known.type)),
            )
            if kind == "crash" and but is not None:
                fresh = pc.and_(fresh, pc.invert(but(table)))
            part[kind] = table.filter(fresh)
        self._told_until = until
        self.load(part, f"until {minutes}")

    def load(self, tables: Tables, name: str) -> None:
        """Load tables as one batch."""
        append_tables(self.lake, plain(tables), batch_id=name, source="tests", now=datetime.now(UTC))

    def kept(self) -> list[dict[str, Any]]:
        """The findings in the lake, by time."""
        rows = [row for file in self.lake.files("incident") for row in pq.read_table(file.path).to_pylist()]
        return sorted(rows, key=lambda row: (row["as_of"], row["ticked_at"]))

    def newest(self) -> Any:
        """The newest findings in the lake."""
        return json.loads(self.kept()[-1]["document"])


@pytest.fixture
def growing(records, tmp_path) -> Fleet:
    return Fleet(Lake.create(tmp_path / "lake"), records)


@pytest.mark.slow
def test_each_look_at_a_new_minute_keeps_one_row_and_any_other_none(growing):
    monitor = Monitor(growing.lake)
    assert monitor.look() is None, "an empty lake says nothing"
    said = []
    for minutes in (-30, 3, 8, 30):
        growing.tell(minutes)
        found = monitor.look()
        assert found is not None
        said.append(found)
        assert monitor.look() is None
    assert [json.loads(row["document"]) for row in growing.kept()] == said
    assert [time_text(row["as_of"]) for row in growing.kept()] == [found["as_of"] for found in said]
    assert said[-1] == incidents(growing.lake)
    monitor.close()


@pytest.mark.slow
def test_what_comes_within_the_minute_waits_for_the_next(growing):
    monitor = Monitor(growing.lake)
    growing.tell(3)
    first = monitor.look()
    assert first is not None
    clock = datetime.fromisoformat(first["as_of"])
    append_host(growing, clock.replace(second=59), "a")
    assert monitor.look() is None
    append_host(growing, clock.replace(second=0) + timedelta(minutes=1), "b")
    assert monitor.look() == incidents(growing.lake)
    assert len(growing.kept()) == 2
    monitor.close()


@pytest.mark.slow
def test_a_minute_that_has_only_just_ended_waits_for_what_is_still_on_its_way(growing, caplog):
    """One of two collectors commits a record of the minute after the other has committed one of the next."""
    caplog.set_level("INFO", "fleetcrash.monitor")
    edge = fleet.RELEASED + timedelta(minutes=4)
    now = edge
    monitor = Monitor(growing.lake, clock=lambda: now.timestamp())
    growing.tell(2)
    append_host(growing, edge - timedelta(minutes=1), "a")
    assert monitor.look() is not None
    append_host(growing, edge + timedelta(seconds=1), "b")
    now = edge + timedelta(seconds=2)
    assert monitor.look() is None
    append_host(growing, edge - timedelta(seconds=1), "late")
    now = edge + timedelta(seconds=4.9)
    assert monitor.look() is None
    now = edge + timedelta(seconds=5)  # and nothing more comes
    assert monitor.look() == incidents(growing.lake)
    assert monitor.look() is None
    assert "judging again" not in caplog.text
    monitor.close()


def test_what_hosts_tell_late_of_when_they_were_online_waits_where_judging_again_takes_long(
    empty_lake, caplog, monkeypatch
):
    caplog.set_level("INFO", "fleetcrash.monitor")
    told: World = {
        "host": [{"host_id": f"h{number}", "os_type": "windows"} for number in range(3)],
        "heartbeat": [  # of all but the first one held up for an hour and a half
            {"host_id": f"h{n}", "at": at(minute), "received_at": at(155 if n and 60 <= minute <= 150 else minute)}
            for n in range(3)
            for minute in range(0, 300, 5)
        ],
        "crash": [crash_of(0, 20)],
    }
    now, seen = 120.0, known_by(told, at(120))
    with lake_of(seen, empty_lake) as lake:
        monitor = Monitor(lake, clock=lambda: at(now).timestamp() + 30)
        monitor.look()
        monkeypatch.setattr(loop, "_SHORT_S", 0.0)
        for now, share, is_anew in ((200.0, 0.0, False), (250.0, 1e9, True), (280.0, 0.0, False)):
            monkeypatch.setattr(loop, "_SHARE_OF_TIME", share)
            known = known_by(told, at(now))
            new = [row for row in known["heartbeat"] if row not in seen["heartbeat"]]
            append_rows(lake, "heartbeat", new, batch_id=f"at {now}")
            seen = known
            caplog.clear()
            found = monitor.look()
            assert ("judging again" in caplog.text) == is_anew
        assert found == incidents(lake, as_of=at(now))
        monitor.close()


@pytest.mark.slow
def test_while_a_minute_waits_it_says_what_was_so_when_the_one_before_was_over(growing):
    edge = fleet.RELEASED + timedelta(minutes=4)
    monitor = Monitor(growing.lake, clock=lambda: edge.timestamp())
    growing.tell(3)
    append_host(growing, edge + timedelta(seconds=1), "a")
    found = monitor.look()
    assert found == incidents(growing.lake, as_of=edge - timedelta(microseconds=1))
    append_host(growing, edge + timedelta(seconds=5), "b")  # by a clock that is ahead of ours
    assert monitor.look() == incidents(growing.lake)
    monitor.close()


def append_host(growing: Fleet, seen_at: datetime, name: str) -> None:
    """A record of no importance: it moves the clock."""
    row = {"host_id": [name], "os_type": ["linux"], "seen_at": [seen_at]}
    append_tables(growing.lake, {"host": pa.table(row)}, batch_id=name, source="tests", now=datetime.now(UTC))


@pytest.mark.slow
def test_a_monitor_that_starts_later_says_the_same_and_writes_nothing_twice(growing):
    one = Monitor(growing.lake)
    for minutes in (-100, 5, 20):
        growing.tell(minutes)
        said = one.look()
    other = Monitor(Lake.open(growing.lake.root))
    assert other.look() == said
    assert len(growing.kept()) == 3
    growing.tell(40)
    assert one.look() == other.look() == incidents(growing.lake)
    assert len(growing.kept()) == 4
    one.close()
    other.close()


@pytest.mark.slow
def test_to_have_watched_before_the_first_crash_makes_no_difference(growing):
    """A monitor runs from the day that the fleet is connected, and crashes come later."""
    monitor = Monitor(growing.lake)
    growing.tell(-200)  # hours after the first session, and forty minutes before the first crash
    early = monitor.look()
    assert early is None or early["incidents"] == []
    for minutes in (-120, 3, 40):
        growing.tell(minutes)
        said = monitor.look()
    assert said == incidents(growing.lake)
    monitor.close()


@pytest.mark.slow
def test_before_anything_happened_it_says_that_all_is_quiet_and_goes_on(growing):
    append_host(growing, fleet.START, "first")
    monitor = Monitor(growing.lake)
    found = monitor.look()
    assert found is not None
    assert found["incidents"] == []
    append_host(growing, fleet.START + timedelta(minutes=5), "second")
    assert monitor.look() is not None
    growing.tell(40)
    assert monitor.look() == incidents(growing.lake)
    monitor.close()


def test_a_lake_in_which_nothing_happened_is_counted_once(growing, monkeypatch):
    counted: list[int] = []

    def counting(*arguments, **options):
        counted.append(1)
        return read_news(*arguments, **options)

    monkeypatch.setattr("monitor.loop.read_news", counting)
    append_host(growing, fleet.START, "first")
    monitor = Monitor(growing.lake)
    assert monitor.look() is not None
    monitor.look()  # its own row is news to it
    before = len(counted)
    assert monitor.look() is monitor.look() is None
    assert len(counted) == before
    monitor.close()


@pytest.mark.slow
def test_installs_that_are_told_for_the_first_time_change_what_all_rests_on(growing):
    """Until then exposure was assumed from the releases, and so it is not as of later."""
    monitor = Monitor(growing.lake)
    installs = growing._records["install"]
    growing._records = {kind: table for kind, table in growing._records.items() if kind != "install"}
    growing.tell(20)
    assumed = monitor.look()
    assert assumed is not None
    assert assumed["exposure_source"] == "release"
    growing.load({"install": installs}, "installs at last")
    growing.tell(30)
    said = monitor.look()
    assert said is not None
    assert said["exposure_source"] == "installs"
    assert said == incidents(growing.lake)
    monitor.close()


@pytest.mark.slow
def test_an_inventory_that_is_told_for_the_first_time_changes_what_all_rests_on(growing):
    """Until then the hosts that had crashed stood for all."""
    monitor = Monitor(growing.lake)
    hosts = growing._records["host"]
    growing._records = {kind: growing._records[kind] for kind in ("crash", "update")}
    growing.tell(20)
    assert monitor.look() is not None
    growing.load({"host": hosts}, "an inventory at last")
    growing.tell(30)
    assert monitor.look() == incidents(growing.lake)
    monitor.close()


@pytest.mark.slow
def test_records_of_the_past_that_are_loaded_while_it_watches_are_judged_as_well(growing):
    """Whoever loads an older file beside a running monitor must not get another answer than after a restart."""

    def every_second(table: pa.Table) -> pa.ChunkedArray:
        return pc.equal(pc.bit_wise_and(pa.chunked_array([pa.array(range(len(table)))]), 1), 1)

    monitor = Monitor(growing.lake)
    growing.tell(6, but=every_second)
    monitor.look()
    growing.tell(9, but=every_second)
    monitor.look()
    growing.load({"crash": growing._records["crash"].filter(every_second(growing._records["crash"]))}, "held back")
    growing.tell(30)
    assert monitor.look() == incidents(growing.lake)
    monitor.close()


@pytest.mark.slow
def test_records_that_move_no_clock_are_judged_at_once(growing):
    """A look may fall between two files of one load, and nothing comes after them."""

    def all_but_three(table: pa.Table) -> pa.ChunkedArray:
        return pc.greater_equal(pa.chunked_array([pa.array(range(len(table)))]), 3)

    early, late = Monitor(growing.lake), Monitor(growing.lake)
    growing.tell(30, but=all_but_three)
    assert early.look() == late.look() == incidents(growing.lake)
    assert growing.newest()["incidents"] == []
    growing.load({"crash": growing._records["crash"].filter(all_but_three(growing._records["crash"]))}, "the rest")
    said = incidents(growing.lake)
    assert said["incidents"] != []
    assert early.look() == late.look() == said
    assert early.look() is late.look() is None
    kept = [json.loads(row["document"]) for row in growing.kept()]
    assert kept[1:] == [said], "both say the same, which is kept once"
    early.close()
    late.close()


@pytest.mark.slow
def test_what_comes_while_a_look_is_kept_is_judged_by_the_next(growing, monkeypatch):
    """Another has kept the same already, so that no row of ours is there to be noticed."""
    growing.tell(5)
    first, second = Monitor(growing.lake), Monitor(growing.lake)
    assert first.look() is not None

    def slowly(*arguments: Any) -> Any:
        found = document(*arguments)
        growing.tell(30)
        return found

    with monkeypatch.context() as patched:
        patched.setattr("monitor.loop.document", slowly)
        assert second.look() is not None
    assert second.look() == incidents(growing.lake)
    first.close()
    second.close()


@pytest.mark.slow
def test_a_record_of_the_day_to_come_hides_nothing_that_comes_after_it(growing):
    monitor = Monitor(growing.lake)
    growing.tell(-1)
    append_host(growing, fleet.RELEASED + timedelta(hours=20), "its clock is ahead")
    assert monitor.look() is not None
    growing.tell(30)
    found = monitor.look()
    assert found == growing.newest() == incidents(growing.lake)
    assert found is not None
    assert found["incidents"] != []
    monitor.close()


@pytest.mark.slow
def test_once_such_a_record_is_forgotten_the_findings_are_of_now_again(growing):
    growing.tell(-1)
    append_host(growing, fleet.RELEASED + timedelta(hours=20), "its clock is ahead")
    monitor = Monitor(growing.lake)
    assert monitor.look() is not None
    monitor.close()
    forget(growing.lake, "its clock is ahead")
    growing.tell(30)
    monitor = Monitor(growing.lake)
    found = monitor.look()
    assert found == incidents(growing.lake)
    with Engine(growing.lake) as engine:
        (kept,) = engine.rows("incident_now", newest=engine.newest_known())
    assert json.loads(kept["document"]) == found
    monitor.close()


@pytest.mark.slow
def test_late_records_wait_for_a_minute_that_is_due(growing):
    """All minutes are judged again for them: once a minute at most, where the lake's clock goes with ours."""
    growing.tell(5)
    now = fleet.RELEASED + timedelta(minutes=6)
    monitor = Monitor(growing.lake, clock=lambda: now.timestamp())
    assert monitor.look() is not None
    append_host(growing, fleet.RELEASED, "late")
    assert monitor.look() is None
    now += timedelta(minutes=3)  # and no further minute came
    assert monitor.look() == incidents(growing.lake)
    assert monitor.look() is None
    monitor.close()


@pytest.mark.slow
def test_a_monitor_that_is_killed_and_started_again_says_what_one_that_lived_would(growing):
    growing.tell(4)
    with _process(growing.lake) as running:
        _wait(lambda: growing.kept(), running)
        running.send_signal(signal.SIGKILL)
    growing.tell(25)
    with _process(growing.lake) as running:
        _wait(lambda: len(growing.kept()) == 2, running)
        running.send_signal(signal.SIGINT)
        assert running.wait(PATIENCE_S) == 0
    assert growing.newest() == incidents(growing.lake)
    assert len({row["as_of"] for row in growing.kept()}) == len(growing.kept())


def test_it_watches_until_it_is_told_to_stop(growing):
    stop = threading.Event()
    growing.tell(10)
    told = {"interval_s": 0.05, "stop": stop, "alerting": Following(growing.lake.root)}
    watching = threading.Thread(target=watch, args=(growing.lake,), kwargs=told)
    watching.start()
    _wait(lambda: growing.kept())
    growing.tell(20)
    _wait(lambda: len(growing.kept()) == 2)
    stop.set()
    watching.join(PATIENCE_S)
    assert not watching.is_alive()
    assert growing.newest() == incidents(growing.lake)


@contextmanager
def _process(lake: Lake) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-m", "cli", "monitor", "--lake", str(lake.root), "--interval", "0.1"]
    with subprocess.Popen(command, cwd=ROOT, env=dict(os.environ), stderr=subprocess.DEVNULL) as running:
        try:
            yield running
        finally:
            running.kill()  # a failed test must not wait for it for ever


def _wait(done: Callable[[], object], running: subprocess.Popen[bytes] | None = None) -> None:
    """Look again and again until something that another thread or process does is done."""
    deadline = time.monotonic() + PATIENCE_S
    while not done():
        assert time.monotonic() < deadline, "it took too long"
        assert running is None or running.poll() is None, "it ended by itself"
        time.sleep(0.05)
