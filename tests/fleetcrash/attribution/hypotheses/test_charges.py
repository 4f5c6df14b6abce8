"""Charges of installs that are told late: for a harmless update they are as high as if all had been told at once."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from fleetcrash.attribution.backtest import run
from fleetcrash.attribution.weighing.judgement import Kind
from fleetcrash.store import Engine
from tests.fleetcrash.worlds import World, at, crash_of, lake_of

HOSTS = 400
DAY = 1440
REACHED, TOLD = 40, 100  # everybody, within a minute; nobody tells of it for an hour


def fleet(installs: list[tuple[float, float]]) -> World:
    """Hosts of which some have crashed, and then a few more do, after an update that nobody has told of yet.

    Args:
        installs: the minute of each host's, and that in which it is told.
    """
    return {
        "host": [{"host_id": f"h{n}", "os_type": "windows", "region": "eu"} for n in range(HOSTS)],
        "session": [{"host_id": f"h{n}", "online_from": at(-2 * DAY)} for n in range(HOSTS)],
        "crash": [
            *(crash_of(n, -DAY + (n - 300) * 14) for n in range(300, HOSTS, 3)),
            *(crash_of(n * 10, 45 + n * 3) for n in range(7)),
            crash_of(298, TOLD - 9),
            crash_of(299, TOLD + 10),
        ],
        "install": [
            {"host_id": f"h{n}", "update_id": "u", "applied_at": at(minute), "received_at": at(told)}
            for n, (minute, told) in enumerate(installs)
        ],
        "update": [{"update_id": "u", "kind": "content", "released_at": at(REACHED - 1)}],
    }


def log_test(world: World, empty_lake: Path) -> tuple[float, set[Kind]]:
    """The test of the update an hour after its installs were told, and all that was said by then."""
    with lake_of(world, empty_lake) as lake, Engine(lake, as_of=at(TOLD + 80)) as engine:
        detector = run(engine, step_minutes=1)
        inquiry, news = detector._inquiry, detector.news
        everything = np.ones(len(news.cells), bool)
        trial = inquiry.trial(news.last_tick, ~inquiry.no_news(news.last_tick), everything, but=set())
        return float(trial.log_test[0]), {turn.kind for one in detector.incidents for turn in one.said.history}


@pytest.mark.parametrize(
    "installs",
    [
        [(REACHED + n / HOSTS, TOLD - 10 + n / 20) for n in range(HOSTS)],
        [(TOLD, TOLD), *((REACHED + n / HOSTS, TOLD + 2) for n in range(1, HOSTS))],
    ],
    ids=["while others crash", "after one that was the last to get it"],
)
def test_an_update_of_which_hosts_tell_late_is_charged_for_what_came_before_they_did(empty_lake, installs):
    found, said = log_test(fleet(installs), empty_lake)
    assert found < 1.0
    assert said <= {Kind.UNDETERMINED}  # while they are being told it may look as if those that crash had told first
