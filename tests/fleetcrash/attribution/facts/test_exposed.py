"""Changes in hosts with an update: worked out from stretches as the query does that tells what they are."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fleetcrash.attribution.facts import exposed
from fleetcrash.attribution.facts.reading import read_news
from fleetcrash.store import Engine


def rows_told(engine: Engine, after_tick: int) -> Counter[tuple[Any, ...]]:
    """The answer of the query, as (tick, minute, update, cell from 0, since boot, age, change)."""
    read_news(engine)  # so that what the query reads is kept
    names = ("tick", "minute", "update_id", "cell", "since_boot", "age", "change")
    query = (Path(__file__).parent / "exposed_by_minute_cell.sql").read_text()
    table = engine._con.sql(query, params={"after_tick": after_tick}).to_arrow_table()
    rows = zip(*(table[name].to_pylist() for name in names), strict=True)
    return Counter((*row[:3], row[3] + 1, *row[4:]) for row in rows)


def rows_counted(engine: Engine, after_tick: int) -> Counter[tuple[Any, ...]]:
    """The same, of the news; what is not added up there is added up here."""
    news = read_news(engine, after_tick=after_tick)
    ids = [suspect.update_id for suspect in news.suspects]
    names = ("tick", "minute", "update", "cell", "since_boot", "age")
    columns = [getattr(news.exposed, name).tolist() for name in names]
    assert (news.exposed.tick[1:] >= news.exposed.tick[:-1]).all()
    total: Counter[tuple[Any, ...]] = Counter()
    changes = zip(zip(*columns, strict=True), news.exposed.change.tolist(), strict=True)
    for (tick, minute, update, *rest), change in changes:
        total[(tick, minute, ids[update], *rest)] += change
    return Counter((*key, change) for key, change in total.items() if change)


@pytest.mark.slow
@pytest.mark.parametrize("at_once", [64, 1 << 20])
@pytest.mark.parametrize("share", [0.0, 0.6])
def test_stretches_come_to_what_the_query_tells(outage, share, at_once, monkeypatch):
    monkeypatch.setattr(exposed, "_AT_ONCE", at_once)
    with Engine(outage.lake) as engine:
        news = read_news(engine)
        after_tick = -1 if not share else int(news.first_tick + share * (news.last_tick - news.first_tick))
        told = rows_told(engine, after_tick)
        assert told
        assert rows_counted(engine, after_tick) == told


@pytest.mark.slow
def test_what_was_told_too_late_for_a_key_counts_all_the_same(outage, monkeypatch):
    class Narrow(exposed._Layout):
        """One with room for four lags."""

        @classmethod
        def of(cls, **given: int) -> exposed._Layout:
            full = super().of(**given)
            return replace(full, tick_bit=full.lag_bit + 2)

    with Engine(outage.lake) as engine:
        told = rows_told(engine, -1)
        assert any(tick - minute > 4 for tick, minute, *_ in told)
        monkeypatch.setattr(exposed, "_Layout", Narrow)
        assert rows_counted(engine, -1) == told
