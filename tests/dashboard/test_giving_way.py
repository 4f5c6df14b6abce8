"""What is done ahead gives way to whoever asks, is taken up again, and ends nobody else's query."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from threading import Event, RLock
from typing import Any

import duckdb
import pytest

from dashboard import data, lookout
from dashboard.data import Feed
from dashboard.giving_way import GivingWay
from dashboard.selection import Selection
from fleetcrash.store import Engine, Lake
from fleetcrash.store.kept import Kept, KeptTables
from tests.dashboard.fleet import NOW, START, incident, outage, tick

# Takes minutes, so that a test in which nobody ends it fails by its answer, and not for ever.
FOR_LONG = "SELECT count(*) FROM range(1000000) AS one, range(100000) AS other WHERE hash(one, other) = 7"

DAY = Selection(START, NOW)
WAIT_S = 30.0


@pytest.fixture
def con() -> Iterator[duckdb.DuckDBPyConnection]:
    with closing(duckdb.connect()) as con:
        yield con


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(4) as pool:
        yield pool


@pytest.fixture
def feed(tmp_path: Path) -> Iterator[Feed]:
    """Of a lake with two open incidents."""
    lake = outage(tmp_path)
    tick(lake, [incident(), incident(incident_id="inc-0002", condition={"os_type": "linux"})])
    with closing(Feed(lake.root, watch=False)) as feed:
        yield feed


def asking_for_long(engine: Engine) -> object:
    return engine._con.sql(FOR_LONG).fetchall()


def test_whoever_wants_the_lock_gets_it_and_the_work_knows_that_it_gave_way(con, pool):
    begun = Event()
    giving_way = GivingWay(con.interrupt)

    def work() -> bool:
        with giving_way.held_ahead():
            begun.set()
            with pytest.raises(duckdb.InterruptException):
                con.sql(FOR_LONG).fetchall()
            return giving_way.gave_way()

    for _ in range(3):
        begun.clear()
        worked = pool.submit(work)
        assert begun.wait(WAIT_S)
        with giving_way.held():
            assert con.sql("SELECT 1").fetchall() == [(1,)]
            assert not giving_way.gave_way()  # somebody else did
        assert worked.result()
    with giving_way.held_ahead():
        assert not giving_way.gave_way()  # that was another time


def test_an_interrupt_between_two_queries_is_given_again(pool):
    begun, interrupts = Event(), []
    enough = Event()

    def interrupt() -> None:
        interrupts.append(1)
        if len(interrupts) == 3:
            enough.set()

    giving_way = GivingWay(interrupt)

    def work() -> bool:
        with giving_way.held_ahead():
            begun.set()
            return enough.wait(WAIT_S)

    worked = pool.submit(work)
    assert begun.wait(WAIT_S)
    with giving_way.held():
        pass
    assert worked.result()


class Watched:
    """A lock that tells when it was waited for in vain."""

    def __init__(self) -> None:
        self._lock = RLock()
        self.in_vain = Event()

    def acquire(self, timeout: float = -1) -> bool:
        got = self._lock.acquire(timeout=timeout)
        if not got:
            self.in_vain.set()
        return got

    def release(self) -> None:
        self._lock.release()

    def __enter__(self) -> None:
        self.acquire()

    def __exit__(self, *_: object) -> None:
        self.release()


def test_a_query_that_somebody_waits_for_is_not_ended(pool):
    interrupts: list[int] = []
    giving_way = GivingWay(lambda: interrupts.append(1))
    lock: Any = Watched()
    giving_way._lock = lock
    with giving_way.held_ahead():
        pass
    begun = Event()

    def ask_while_others_wait() -> bool:
        with giving_way.held():
            begun.set()
            return lock.in_vain.wait(WAIT_S)

    def ask() -> bool:
        with giving_way.held():
            return True

    first = pool.submit(ask_while_others_wait)
    assert begun.wait(WAIT_S)
    assert all(asked.result() for asked in [first, pool.submit(ask), pool.submit(ask)])
    assert interrupts == []


def test_a_table_that_is_made_ahead_gives_way_to_a_question_and_is_made_later(feed: Feed, pool, monkeypatch, caplog):
    begun = Event()
    made: list[str] = []
    make_anew = KeptTables._make_anew

    def slow_at_first(tables: KeptTables, name: str, kept: Kept) -> None:
        if name == "known_history" and not begun.is_set():
            begun.set()
            tables._con.sql(FOR_LONG).fetchall()
        make_anew(tables, name, kept)
        made.append(name)

    monkeypatch.setattr(KeptTables, "_make_anew", slow_at_first)

    def until_it_is_slow() -> None:
        while not begun.is_set():
            assert feed.prepare()

    ahead = pool.submit(until_it_is_slow)
    assert begun.wait(WAIT_S)
    assert feed.frame("hosts_affected", DAY).iloc[0]["crashes"] > 0
    ahead.result()
    assert "known_history" not in made
    while feed.prepare():
        pass
    assert "known_history" in made
    assert caplog.records == []


def test_a_table_that_cannot_be_made_is_told_once_and_left_to_who_asks(feed: Feed, monkeypatch, caplog):
    def failing(tables: KeptTables, name: str, kept: Kept) -> None:
        raise duckdb.OutOfMemoryException("out of memory")

    monkeypatch.setattr(KeptTables, "_make_anew", failing)
    while feed.prepare():
        pass
    assert not feed.prepare()
    assert ["could not be prepared" in record.message for record in caplog.records] == [True]


def slow_once(feed: Feed, monkeypatch, begun: Event) -> list[object]:
    """Have the first answer ahead take long; which conditions were asked for."""
    delay = feed.delay
    asked: list[object] = []

    def slow_at_first(update_id: str, condition: dict[str, str] | None) -> object:
        asked.append(condition)
        if not begun.is_set():
            begun.set()
            return feed.answer("ahead", asking_for_long)
        return delay(update_id, condition)

    monkeypatch.setattr(feed, "delay", slow_at_first)
    return asked


def begin(pool: ThreadPoolExecutor, work: Callable[[], object], begun: Event) -> Future[object]:
    done = pool.submit(work)
    assert begun.wait(WAIT_S)
    return done


@pytest.mark.parametrize("wants", ["question", "look"])
def test_answers_that_are_made_ahead_give_way_and_are_asked_again(feed: Feed, pool, monkeypatch, caplog, wants: str):
    begun = Event()
    asked = slow_once(feed, monkeypatch, begun)
    ahead = begin(pool, feed.answer_ahead, begun)
    if wants == "question":
        assert feed.frame("hosts_affected", DAY).iloc[0]["crashes"] > 0
    else:
        feed.refresh()
    ahead.result()
    assert len(asked) == 1
    feed.answer_ahead()
    assert len(asked) == 3
    feed.answer_ahead()
    assert len(asked) == 3  # once for each snapshot
    assert caplog.records == []


def test_who_finds_an_answer_does_not_wait_for_what_is_done_ahead(feed: Feed, pool, monkeypatch, caplog):
    known = feed.frame("hosts_affected", DAY)
    begun = Event()
    slow_once(feed, monkeypatch, begun)
    ahead = begin(pool, feed.answer_ahead, begun)
    with feed.still():
        assert feed.snapshot().number == 1
        assert feed.frame("hosts_affected", DAY) is known
        assert feed.kept("chart", lambda: "drawn") == "drawn"
    assert not ahead.done()
    feed.frame("fleet_now")
    ahead.result()
    assert caplog.records == []


def test_an_incident_that_cannot_be_answered_is_told_once_and_keeps_no_other(feed: Feed, monkeypatch, caplog):
    asked = []

    def failing(update_id: str, condition: dict[str, str] | None) -> object:
        asked.append(condition)

        def ask(engine: Engine) -> object:
            raise duckdb.OutOfMemoryException("out of memory")

        return feed.answer("ahead", ask, str(condition))

    monkeypatch.setattr(feed, "delay", failing)
    feed.answer_ahead()
    feed.answer_ahead()
    assert len(asked) == 2
    assert [record.message for record in caplog.records] == ["ahead failed"] * 2


def test_the_end_waits_for_nothing_that_is_done_ahead(feed: Feed, pool, monkeypatch, caplog):
    begun = Event()
    asked = slow_once(feed, monkeypatch, begun)
    ahead = begin(pool, feed.answer_ahead, begun)
    feed.close()
    ahead.result()
    assert len(asked) == 1
    assert not feed.prepare()
    feed.refresh()
    assert feed._lookout.prepared is None  # it is not opened again
    assert caplog.records == []


def test_the_end_cuts_a_look_at_the_lake_short_and_logs_nothing(feed: Feed, pool, monkeypatch, caplog):
    begun = Event()

    def looking_for_long(engine: Engine, *_: object) -> object:
        begun.set()
        return asking_for_long(engine)

    monkeypatch.setattr(lookout, "snapshot_of", looking_for_long)
    tick(Lake.open(feed.snapshot().root), [incident(incident_id="inc-0003")])
    looking = begin(pool, feed.refresh, begun)
    feed.close()
    looking.result(WAIT_S)
    assert feed.snapshot().problem == ""
    assert caplog.records == []


def test_the_watcher_makes_ready_and_answers_while_nobody_asks(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(data, "REFRESH_S", 0.02)
    monkeypatch.setattr(data, "_STILL_S", 0.0)
    answered = Event()
    monkeypatch.setattr(Feed, "delay", lambda *_: answered.set())
    lake = outage(tmp_path)
    tick(lake, [incident()])
    with closing(Feed(lake.root)) as feed:
        feed.frame("hosts_affected", DAY)
        assert answered.wait(WAIT_S)
        assert not feed.prepare()
