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
INSTALLED, ALARM, END = 90, 100, 200
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


def _per_host_minute(news: News, *, disturbed_from: float) -> dict[int, float]:
    """Expected crashes of hosts with the update by their host-minutes, at the minutes in which rates are worked out."""
    expected, found = Expectation(news, Spots(news)), {}
    start = int(at(0).timestamp()) // 60
    nothing = np.zeros(len(news.events), bool)
    for tick in range(news.first_tick, news.last_tick + 1):
        expected.advance(tick, claimed=nothing, disturbed=lambda minute: minute >= start + disturbed_from)
        if tick > start + ALARM and tick % 10 == 0:
            mean = expected.of_hosts_with(np.array([0]), tick)[0].sum()
            found[tick - start] = mean / (_HOSTS * (tick - start - INSTALLED))
    return found


def test_while_an_incident_is_on_what_is_heard_late_of_calmer_hours_moves_no_expectation(news):
    calm = _per_host_minute(news, disturbed_from=END + 1)
    assert calm[190] > 1.1 * calm[140]  # the late crash, in a fleet of few
    held = _per_host_minute(news, disturbed_from=ALARM - 60)
    assert held[190] <= held[140]  # a host crashes less often long after its boot
