"""Hosts that an update spared for as long as it took to strike others are not struck by it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from fleetcrash.attribution.detection.late_strikes import in_late_versions
from fleetcrash.attribution.facts.reading import read_news
from fleetcrash.attribution.hypotheses.inquiry import Inquiry
from fleetcrash.store import Engine
from tests.fleetcrash.worlds import World, at, crash_of, lake_of

HOSTS, PUSHED_AT, UNTIL = 600, 100, 200


def struck(early: int, late: int, after: dict[str, float]) -> World:
    """Hosts of two versions, half of each, that get an update within a minute; some crash, within minutes.

    Args:
        early, late: how many crash of either version. after: of a version, how long after it the first ones do.
    """
    told: World = {
        "host": [{"host_id": f"h{n}", "os_type": "windows", "os_version": f"10.0.{n % 2}"} for n in range(HOSTS)],
        "session": [{"host_id": f"h{n}", "online_from": at(0)} for n in range(HOSTS)],
        "update": [{"update_id": "u", "kind": "content", "channel": "1", "released_at": at(PUSHED_AT)}],
        "install": [
            {"host_id": f"h{n}", "update_id": "u", "applied_at": at(PUSHED_AT + n / HOSTS)} for n in range(HOSTS)
        ],
        "crash": [crash_of(HOSTS, UNTIL)],
    }
    for version, count in enumerate((early, late)):
        for number in range(count):
            host = 2 * number + version
            got = PUSHED_AT + host / HOSTS
            told["crash"].append(crash_of(host, got + after[f"10.0.{version}"] + 6 * number / count))
    return told


def late_versions(world: World, empty_lake: Path) -> dict[str, int]:
    """How many crashes come too late, by the version of their hosts."""
    with lake_of(world, empty_lake) as lake, Engine(lake) as engine:
        news = read_news(engine)
        inquiry = Inquiry(news)
        for tick in range(news.first_tick, news.last_tick + 1):
            inquiry.advance(tick, claimed=np.zeros(len(news.events), bool), disturbed=lambda _: False)
        every = np.ones(len(news.events), bool)
        late = in_late_versions(inquiry, 0, news.last_tick, every)
        versions = [news.cells[cell].attributes[1] for cell in news.events.cell[late].tolist()]
    return {version: versions.count(version) for version in set(versions)}


@pytest.mark.variants
@pytest.mark.parametrize(
    ("early", "late", "after", "found"),
    [
        pytest.param(40, 20, {"10.0.0": 1, "10.0.1": 20}, {"10.0.1": 20}, id="those of one came later"),
        pytest.param(20, 40, {"10.0.0": 1, "10.0.1": 20}, {"10.0.1": 40}, id="and are more"),
        pytest.param(40, 20, {"10.0.0": 1, "10.0.1": 1}, {}, id="at the same time"),
        pytest.param(250, 250, {"10.0.0": -0.8, "10.0.1": 0.8}, {}, id="hardly later, which of many is no chance"),
        pytest.param(40, 2, {"10.0.0": 1, "10.0.1": 20}, {}, id="two say nothing"),
        pytest.param(40, 20, {"10.0.0": 65, "10.0.1": 90}, {}, id="what waits may come to others later"),
    ],
)
def test_events_in_a_version_that_was_spared_for_as_long_as_others_took_are_late(empty_lake, early, late, after, found):
    assert late_versions(struck(early, late, after), empty_lake) == found


def test_a_stray_crash_hours_later_makes_no_version_late(empty_lake):
    world = struck(60, 11, {"10.0.0": 1, "10.0.1": 1})
    world["crash"] += [crash_of(401, PUSHED_AT + 90)]
    assert late_versions(world, empty_lake) == {}
