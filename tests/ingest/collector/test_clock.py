"""A machine whose clock is set back and ahead while records come: ours goes on, and so does all that goes by it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleetcrash.store.paths import SPOOL
from fleetcrash.times import time_text
from ingest.collector import segments
from ingest.collector.clock import Clock
from ingest.collector.keys import Keys
from ingest.collector.limits import Limits
from ingest.collector.segments import Description
from ingest.collector.spool import Spool
from monitor.loop import Monitor
from tests.ingest.collector.conftest import booked, crash_ids, crashes, serving, until
from tests.ingest.conftest import line, rows_of

HOUR_NS = 3_600_000_000_000
START_NS = 1_800_000_000_000_000_000
EAGER = Limits(commit_every_s=0.01)
LATER = Limits(commit_every_s=3600)


@dataclass
class Machine:
    """Clocks to set by hand: nanoseconds."""

    wall: int = START_NS
    steady: int = 0

    def runs(self, ns: int) -> None:
        self.wall += ns
        self.steady += ns

    def clock(self, folder, *, least_us: int = 0) -> Clock:
        return Clock(folder, least_us=least_us, wall=lambda: self.wall, steady=lambda: self.steady)


def test_set_back_an_hour_it_goes_on_at_half_its_pace_until_the_hour_is_made_good(tmp_path):
    machine = Machine()
    clock = machine.clock(tmp_path)
    before = clock.now_us()
    machine.wall -= HOUR_NS
    assert clock.now_us() == before
    machine.runs(HOUR_NS)
    assert clock.now_us() - before == HOUR_NS // 2000
    machine.runs(HOUR_NS)
    assert clock.now_us() == machine.wall // 1000 == before + HOUR_NS // 1000
    machine.runs(5)
    assert clock.now_us() == machine.wall // 1000


def test_set_ahead_it_follows_at_once(tmp_path):
    machine = Machine()
    clock = machine.clock(tmp_path)
    clock.now_us()
    machine.wall += HOUR_NS
    assert clock.now_us() == machine.wall // 1000


@given(st.lists(st.tuples(st.integers(0, HOUR_NS), st.integers(-2 * HOUR_NS, 2 * HOUR_NS)), max_size=30))
def test_however_it_is_set_time_never_goes_back_and_never_runs_ahead_of_what_was_shown(tmp_path_factory, steps):
    machine = Machine()
    clock = machine.clock(tmp_path_factory.getbasetemp() / "nowhere")
    told, most = [clock.now_us()], machine.wall
    for passes, step in steps:
        machine.runs(passes)
        most = max(most, machine.wall)
        machine.wall += step
        most = max(most, machine.wall)
        told.append(clock.now_us())
    assert told == sorted(told)
    assert told[-1] * 1000 <= most + sum(passes for passes, _ in steps)


def test_after_a_restart_it_is_no_earlier(tmp_path):
    machine = Machine()
    clock = machine.clock(tmp_path)
    told = clock.now_us()
    clock.keep()
    machine.wall -= HOUR_NS
    assert machine.clock(tmp_path).now_us() == told
    (tmp_path / "clock").write_text("")
    assert machine.clock(tmp_path).now_us() == machine.wall // 1000


def steps_of(machine: Machine) -> list[Callable[[], None]]:
    """An hour back, an hour ahead, two back, and back to where it was."""

    def set_by(hours: int) -> Callable[[], None]:
        return lambda: setattr(machine, "wall", machine.wall + hours * HOUR_NS)

    return [set_by(hours) for hours in (0, -1, 1, -2, 2)]


@pytest.mark.slow
def test_records_that_come_while_the_clock_jumps_are_known_in_the_order_of_their_answers(lake, monkeypatch):
    machine = Machine()
    monkeypatch.setattr("ingest.collector.spool.time.time_ns", lambda: machine.wall)
    with serving(lake, limits=EAGER, clock=machine.clock) as client:
        for number, step in enumerate(steps_of(machine)):
            step()
            assert client.post(crashes(number, 1), Idempotency_Key=f"k{number}").status == 202
            again = client.post(crashes(number, 1), Idempotency_Key=f"k{number}")
            assert again.status == 202
            until(lambda: client.get("/healthz").document["backlog_bytes"] == 0)
    received = {row["crash_id"]: row["received_at"] for row in rows_of(lake, "crash")}
    assert [received[f"c{n}"] for n in range(5)] == sorted(received.values())
    assert max(received.values()) <= datetime.fromtimestamp((START_NS + HOUR_NS) / 1e9, tz=UTC)
    assert booked(lake) == {"read": 5, "accepted": 5, "duplicates": 0, "quarantined": 0}


def test_what_waits_is_committed_in_the_order_in_which_it_came_however_the_clock_is_set(tmp_path, monkeypatch):
    machine = Machine()
    monkeypatch.setattr("ingest.collector.spool.time.time_ns", lambda: machine.wall)
    names: list[str] = []
    for _ in range(2):  # the second time behind what the first one left
        spool = Spool(tmp_path, LATER)
        spool.start()
        for step in steps_of(machine):
            step()
            body = segments.Body(segments.Description(str(len(names)), "/v1/records", 1, 1), b"x\n")
            spool.append(body).result(10)
            spool.closed()
            names.append(body.description.batch_id)
        spool.end()
        waiting = spool.closed()
        spool.close()
    assert [segments.read(path).bodies[0].description.batch_id for path in waiting] == names


def test_a_collector_that_starts_after_the_clock_was_set_back_stamps_nothing_earlier(lake):
    machine = Machine()
    for number in range(2):
        with serving(lake, limits=LATER, clock=machine.clock) as client:
            client.post(crashes(number, 1))
        machine.wall -= HOUR_NS
    received = {row["crash_id"]: row["received_at"] for row in rows_of(lake, "crash")}
    assert received["c1"] >= received["c0"]
    assert (lake.root / SPOOL / "clock").exists()


def test_a_rate_goes_on_while_the_clock_jumps(lake):
    machine = Machine()
    with serving(lake, rate=0.0001, clock=machine.clock) as client:
        assert client.post(crashes(0, 1)).status == 202
        for step in steps_of(machine):
            step()
            assert client.post(crashes(1, 1)).code == "rate_limited"
    assert crash_ids(lake) == ["c0"]


@pytest.mark.slow
def test_the_monitor_goes_on_while_the_clock_jumps_and_takes_back_nothing(lake):
    machine = Machine()
    monitor = Monitor(lake)
    judged = []
    with serving(lake, limits=EAGER, clock=machine.clock) as client:
        client.post(line("host") + b"\n" + line("session", online_until=None))
        for number, step in enumerate(steps_of(machine)):
            step()
            machine.runs(4 * 60_000_000_000)
            assert client.post(crashes(number, 1, occurred_at=occurred(machine))).status == 202
            until(lambda: client.get("/healthz").document["backlog_bytes"] == 0)
            found = monitor.look()
            assert found is not None, "a minute has passed by our clock, too"
            judged.append(found["as_of"])
    monitor.close()
    assert judged == sorted(set(judged))
    assert len(judged) == 5


def occurred(machine: Machine) -> str:
    return time_text(datetime.fromtimestamp((machine.wall - 60_000_000_000) / 1e9, tz=UTC))


def test_a_key_is_remembered_though_the_clock_is_set_ahead_by_an_hour_and_forgotten_after_a_day(tmp_path, monkeypatch):
    machine = Machine()
    monkeypatch.setattr("ingest.collector.keys.time.time", lambda: machine.wall / 1e9)
    monkeypatch.setattr("ingest.collector.keys._FORGET_EVERY_S", -1.0)
    keys = Keys(tmp_path)
    for step in steps_of(machine):
        keys.settle([Description("b", "/v1/records", START_NS // 1000, 1, "k", "d")])
        step()
        keys.settle([])
        assert keys.find("k") is not None
    machine.wall += 25 * HOUR_NS
    keys.settle([])
    assert keys.find("k") is None
    keys.close()
