"""What is to be expected of the hosts that have an update."""

from __future__ import annotations

import numpy as np
import pytest

from fleetcrash.attribution.expectation import Expectation
from fleetcrash.attribution.news import News, read_news
from fleetcrash.attribution.spots import Spots
from fleetcrash.store import Engine, Lake
from tests.dashboard.fleet import append_rows
from tests.fleetcrash.worlds import at

_HOSTS = 20
MINUTE_OF_START = int(at(0).timestamp()) // 60
INSTALLED, END = 90, 200
LATE = (50, 150)  # when a crash of calmer hours happened, and when it was heard of


@pytest.fixture
def news(lake: Lake) -> News:
    hosts = [f"h{number}" for number in range(_HOSTS)]
    append_rows(lake, "host", [{"host_id": host, "os_type": "windows"} for host in hosts])
    append_rows(lake, "session", [{"host_id": h, "online_from": at(0), "online_until": None} for h in hosts])
    append_rows(lake, "update", [{"update_id": "u", "kind": "content", "released_at": at(INSTALLED)}])
    append_rows(lake, "install", [{"host_id": h, "update_id": "u", "applied_at": at(INSTALLED)} for h in hosts])
    told = [(10, 10), (20, 20), LATE]
    crashes = [
        {"crash_id": host, "host_id": host, "os_type": "windows", "occurred_at": at(happened), "received_at": at(heard)}
        for host, (happened, heard) in zip(hosts, told, strict=False)
    ]
    append_rows(lake, "crash", crashes)
    with Engine(lake, as_of=at(END)) as engine:
        return read_news(engine)


def _growth(news: News, *, judging: bool) -> float:
    """The largest share by which what is expected of the update's hosts rises in a minute, once it is an hour old."""
    expected, found = Expectation(news, Spots(news)), []
    nothing = np.zeros(len(news.events), bool)
    for tick in range(news.first_tick, news.last_tick + 1):
        expected.advance(tick, claimed=nothing, disturbed=lambda _: False, judging=judging)
        if tick > MINUTE_OF_START + INSTALLED + 50:
            found.append(expected.of_hosts_with(np.array([0]), tick)[0].sum())
    return float(np.max(np.diff(found) / found[1:]))


def test_while_an_incident_is_on_a_new_rate_holds_for_new_minutes_only(news):
    """A crash of calmer hours that is heard of late, in a fleet of few hosts."""
    assert _growth(news, judging=False) > 0.1
    assert _growth(news, judging=True) < 0.05
