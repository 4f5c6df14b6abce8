"""Exposure where nobody tells of installs: every host that was online at or after a release has the update."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pyarrow.compute as pc
import pytest

from fleetcrash.attribution.facts.reading import read_news
from fleetcrash.store import Engine, Lake
from tests.dashboard.fleet import append_rows
from tests.fleetcrash.worlds import at

RELEASED, HEARD_OF_IT = 100, 101

# Sessions by host: from, until, and where it is later when it was told of.
SESSIONS: dict[str, list[Any]] = {
    "stays": [(0, None)],
    "left just before the release, comes back": [(0, 95), (130, None)],
    "left just before the release, for good": [(0, 99)],
    "left just before the release, back before that was known": [(0, 99), (102, None)],
    "was away at the release": [(0, 50), (120, None)],
    "left between release and record": [(0, 100.5), (140, 150)],
    "told of an earlier session later": [(80, 105, 145), (110, None)],
    "comes late": [(160, 170), (175, None)],
}


@pytest.fixture
def untold(lake: Lake) -> Lake:
    append_rows(lake, "host", [{"host_id": host, "os_type": "windows"} for host in SESSIONS])
    update = {"update_id": "u", "kind": "content", "channel": "1", "released_at": at(RELEASED)}
    append_rows(lake, "update", [{**update, "received_at": at(HEARD_OF_IT)}])
    rows = [
        {
            "host_id": host,
            "online_from": at(begins),
            "online_until": None if ends is None else at(ends),
            "received_at": at(told[0] if told else begins),
        }
        for host, sessions in SESSIONS.items()
        for begins, ends, *told in sessions
    ]
    append_rows(lake, "session", rows)
    append_rows(lake, "crash", [{"crash_id": "c", "host_id": "stays", "os_type": "windows", "occurred_at": at(60)}])
    return lake


@pytest.mark.slow
def test_what_was_counted_by_a_minute_is_counted_so_for_good(untold):
    """A monitor reads what is new and keeps the rest: what it has read must not be told otherwise later."""

    def counted(now: float, by: int) -> Counter[tuple[int, ...]]:
        with Engine(untold, as_of=at(now)) as engine:
            rows = read_news(engine).exposed
        columns = (rows.tick, rows.minute, rows.cell, rows.since_boot, rows.age, rows.change)
        return Counter(row for row in zip(*(column.tolist() for column in columns), strict=True) if row[0] <= by)

    for now in (102, 104, 106, 109, 112, 125, 146, 155, 172):
        by = int(at(now).timestamp()) // 60
        assert counted(now, by) == counted(200, by), now


def test_a_host_has_the_update_from_the_release_or_its_first_minute_online_after_it(untold):
    with Engine(untold, as_of=at(200)) as engine:
        exposed = engine.table("known_exposures").select(["host_id", "exposed_from"]).to_pylist()
    assert {row["host_id"]: row["exposed_from"] for row in exposed} == {
        "stays": at(RELEASED),
        "left just before the release, comes back": at(130),
        "left just before the release, back before that was known": at(102),
        "was away at the release": at(120),
        "left between release and record": at(RELEASED),
        "told of an earlier session later": at(110),
        "comes late": at(160),
    }


# What crashes of some hosts say of the content of channel 1: when they came, and what they list.
CONTENT: dict[str, list[tuple[float, dict[str, str] | None]]] = {
    "has it": [(120, {"1": "v2", "2": "v1"})],
    "has the one before": [(120, {"1": "v1"})],
    "lists another channel": [(120, {"2": "v1"})],
    "does not say": [(120, None), (130, {})],
    "lacked it, then got it": [(120, {"1": "v1"}), (150, {"1": "v2"})],
    "had it, then lost it": [(120, {"1": "v2"}), (150, {"1": "v1"})],
    "crashed before the release": [(90, {"1": "v1"})],
}
EXPOSED_FROM = {
    "has it": RELEASED,
    "does not say": RELEASED,
    "lacked it, then got it": 150,
    "had it, then lost it": RELEASED,
    "crashed before the release": RELEASED,
}


@pytest.fixture
def telling(lake: Lake) -> Lake:
    """Hosts whose crashes say what content they have."""
    append_rows(lake, "host", [{"host_id": host, "os_type": "windows"} for host in CONTENT])
    append_rows(lake, "session", [{"host_id": host, "online_from": at(0)} for host in CONTENT])
    update = {"update_id": "u", "kind": "content", "channel": "1", "version": "v2", "released_at": at(RELEASED)}
    append_rows(lake, "update", [update])
    crashes = [
        {
            "crash_id": f"{host} {minute}",
            "host_id": host,
            "os_type": "windows",
            "occurred_at": at(minute),
            "received_at": at(minute + 2),
            "content": content,
        }
        for host, said in CONTENT.items()
        for minute, content in said
    ]
    append_rows(lake, "crash", crashes)
    return lake


def test_a_host_whose_crash_tells_that_it_lacks_content_is_not_taken_to_have_it(telling):
    with Engine(telling, as_of=at(200)) as engine:
        exposed = engine.table("known_exposures")
    began = exposed.select(["host_id", "exposed_from"]).to_pylist()
    assert {row["host_id"]: row["exposed_from"] for row in began} == {
        host: at(minute) for host, minute in EXPOSED_FROM.items()
    }
    ended = exposed.filter(pc.field("exposed_until") < at(200)).select(["host_id", "exposed_until"]).to_pylist()
    assert ended == [{"host_id": "had it, then lost it", "exposed_until": at(150)}]


def test_until_its_crash_is_known_it_is(telling):
    with Engine(telling, as_of=at(121)) as engine:
        exposed = engine.table("known_exposures").column("host_id").to_pylist()
    assert sorted(exposed) == sorted(CONTENT)


def test_of_crashes_alone_those_of_hosts_that_lack_an_update_do_not_count_for_it(lake):
    update = {"update_id": "u", "kind": "content", "channel": "1", "version": "v2", "released_at": at(RELEASED)}
    append_rows(lake, "update", [update])
    said = [None, {"1": "v2"}, {"1": "v1"}, {"2": "v1"}, {}]
    crashes = [
        {
            "crash_id": f"c{number}",
            "host_id": f"h{number}",
            "os_type": "windows",
            "occurred_at": at(120 + number),
            "content": content,
        }
        for number, content in enumerate(said)
    ]
    append_rows(lake, "crash", crashes)
    with Engine(lake, as_of=at(200)) as engine:
        news = read_news(engine)
    assert news.crashes_only
    assert news.exposed_events.event.tolist() == [0, 1, 4]
