"""What is done ahead gives way to whoever asks, is taken up again, and ends nobody else's query."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from threading import Event, RLock
from typing import Any

import duckdb
import pytest

from dashboard.data import Feed
from dashboard.giving_way import GivingWay
from dashboard.selection import Selection
from fleetcrash.store.kept import Kept, KeptTables
from tests.dashboard.fleet import NOW, START, incident, outage, tick

FOR_EVER = "SELECT count(*) FROM range(10000000) AS one, range(10000000) AS other WHERE hash(one, other) = 7"
DAY = Selection(START, NOW)


@pytest.fixture
def con() -> Iterator[duckdb.DuckDBPyConnection]:
    with closing(duckdb.connect()) as con:
        yield con


def test_whoever_wants_the_locks_gets_them_and_the_work_knows_that_it_gave_way(con: duckdb.DuckDBPyConnection):
    outer, inner, begun = RLock(), RLock(), Event()
    giving_way = GivingWay(con.interrupt)

    def work() -> bool:
        with outer, inner, giving_way.working():
            begun.set()
            with pytest.raises(duckdb.InterruptException):
                con.sql(FOR_EVER).fetchall()
            return giving_way.gave_way()

    with ThreadPoolExecutor(1) as pool:
        worked = pool.submit(work)
        begun.wait()
        with giving_way.instead(outer, inner):
            assert con.sql("SELECT 1").fetchall() == [(1,)]
            assert not giving_way.gave_way()  # somebody else did
        assert worked.result()


class Watched:
    """A lock that tells when it was waited for in vain."""

    def __init__(self) -> None:
        self._lock = RLock()
        self.in_vain = Event()

    def acquire(self, timeout: float) -> bool:
        got = self._lock.acquire(timeout=timeout)
        if not got:
            self.in_vain.set()
        return got

    def release(self) -> None:
        self._lock.release()


def test_a_query_that_somebody_waits_for_is_not_ended():
    lock: Any = Watched()
    begun = Event()
    interrupts: list[int] = []
    giving_way = GivingWay(lambda: interrupts.append(1))

    def ask_until_another_waits() -> None:
        with giving_way.instead(lock):
            begun.set()
            assert lock.in_vain.wait(20)

    def ask() -> None:
        begun.wait()
        with giving_way.instead(lock):
            pass

    with ThreadPoolExecutor(2) as pool:
        for asked in [pool.submit(ask_until_another_waits), pool.submit(ask)]:
            asked.result()
    assert interrupts == []


def test_locks_are_let_go_of_where_what_is_done_with_them_fails():
    outer, inner = RLock(), RLock()
    giving_way = GivingWay(lambda: None)
    with pytest.raises(ZeroDivisionError), giving_way.instead(outer, inner):
        raise ZeroDivisionError
    with pytest.raises(ZeroDivisionError), outer, giving_way.working():
        raise ZeroDivisionError
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(lambda: (outer.acquire(timeout=5), inner.acquire(timeout=5))).result() == (True, True)


def test_a_table_that_is_made_ahead_gives_way_to_a_question_and_is_made_later(tmp_path: Path, monkeypatch, caplog):
    begun = Event()
    made: list[str] = []
    make_anew = KeptTables._make_anew

    def slow_at_first(tables: KeptTables, name: str, kept: Kept) -> None:
        if name == "known_history" and not begun.is_set():
            begun.set()
            tables._con.sql(FOR_EVER).fetchall()
        make_anew(tables, name, kept)
        made.append(name)

    monkeypatch.setattr(KeptTables, "_make_anew", slow_at_first)
    with closing(Feed(outage(tmp_path).root, watch=False)) as feed, ThreadPoolExecutor(1) as pool:

        def until_it_is_slow() -> None:
            while not begun.is_set():
                assert feed.prepare()

        ahead = pool.submit(until_it_is_slow)
        begun.wait()
        assert feed.frame("hosts_affected", DAY).iloc[0]["crashes"] > 0
        ahead.result()
        assert "known_history" not in made
        while feed.prepare():
            pass
        assert "known_history" in made
    assert caplog.records == []


def test_answers_that_are_made_ahead_give_way_and_are_asked_again(tmp_path: Path, monkeypatch, caplog):
    lake = outage(tmp_path)
    tick(lake, [incident()])
    begun = Event()
    with closing(Feed(lake.root, watch=False)) as feed, ThreadPoolExecutor(1) as pool:
        asked: list[str] = []
        delay = feed.delay

        def slow_at_first(update_id: str, condition: dict[str, str] | None) -> object:
            asked.append(update_id)
            if not begun.is_set():
                begun.set()
                return feed.answer("ahead", lambda engine: engine._con.sql(FOR_EVER).fetchall())
            return delay(update_id, condition)

        monkeypatch.setattr(feed, "delay", slow_at_first)
        ahead = pool.submit(feed._answer_ahead)
        begun.wait()
        assert feed.frame("hosts_affected", DAY).iloc[0]["crashes"] > 0
        ahead.result()
        feed._answer_ahead()
        assert len(asked) == 2
        feed._answer_ahead()
        assert len(asked) == 2  # once for each snapshot
    assert caplog.records == []
