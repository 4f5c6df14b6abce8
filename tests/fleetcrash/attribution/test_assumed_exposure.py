"""Exposure where nobody tells of installs: every host that was online at or after a release has the update."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from fleetcrash.attribution.reading import read_news
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
