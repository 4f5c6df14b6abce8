"""Where the hosts with an update stand, and which of these places may be all that it strikes."""

from __future__ import annotations

import numpy as np
import pytest

from fleetcrash.attribution.conditions.finding import find_condition
from fleetcrash.attribution.detection.places import places_struck
from fleetcrash.attribution.facts.exposure import AGES
from fleetcrash.attribution.facts.reading import read_news
from fleetcrash.attribution.hypotheses.inquiry import Inquiry
from fleetcrash.store import Engine
from tests.fleetcrash.worlds import World, at, lake_of

HOSTS = [f"h{number:02}" for number in range(80)]
KIOSKS = HOSTS[::2]
GOT_BAD, TOLD_LATE = 60, 90


def world() -> World:
    """Half of the hosts are kiosks and crash. All but one stand in the hall; that one's install is told late."""
    return {
        "host": [
            {
                "host_id": host,
                "os_type": "windows",
                "group": "kiosk" if host in KIOSKS else "desk",
                "site": "hall" if host in KIOSKS[1:] else "office",
                "customer": "only",
            }
            for host in HOSTS
        ],
        "update": [{"update_id": "bad", "kind": "content", "released_at": at(0)}],
        "session": [{"host_id": host, "online_from": at(-600), "online_until": None} for host in HOSTS],
        "install": [
            {
                "host_id": host,
                "update_id": "bad",
                "applied_at": at(GOT_BAD),
                "received_at": at(TOLD_LATE if host == "h00" else GOT_BAD),
            }
            for host in HOSTS
        ],
        "crash": [
            {"crash_id": host, "host_id": host, "os_type": "windows", "occurred_at": at(61), "received_at": at(62)}
            for host in KIOSKS
        ],
    }


@pytest.fixture
def inquiry(empty_lake):
    with lake_of(world(), empty_lake) as lake, Engine(lake, as_of=at(120)) as engine:
        yield Inquiry(read_news(engine))


def places_at(inquiry: Inquiry, minute: int) -> dict[tuple[str, str], tuple[float, float]]:
    """Events at each place, and the share of the Windows hosts with the update that stand there."""
    tick = int(at(minute).timestamp()) // 60
    windows = [cell.os_type for cell in inquiry.news.cells].index("windows")
    found = places_struck(inquiry, 0, tick, np.ones(len(inquiry.news.events), bool))
    return {(one.key, one.value): (float(one.events.sum()), float(one.share[0, windows])) for one in found}


def test_where_a_tenth_of_the_events_happened_is_told_with_its_share_of_the_hosts(inquiry):
    """Of customers there is but one, which tells nobody apart; hardly anything happened at the office."""
    told = places_at(inquiry, 120)
    assert told.keys() == {("group", "kiosk"), ("site", "hall")}
    assert told["group", "kiosk"] == (40.0, 40 / 80)
    assert told["site", "hall"] == (39.0, 39 / 80)


def test_an_install_counts_from_when_it_was_known(inquiry):
    assert places_at(inquiry, TOLD_LATE - 1)["group", "kiosk"] == (39.0, 39 / 79)
    assert places_at(inquiry, TOLD_LATE)["group", "kiosk"] == (40.0, 40 / 80)


def test_a_group_is_the_condition_where_its_hosts_alone_crash(inquiry):
    """The hall leaves out one of them, and that one crashed as well."""
    tick, mine = int(at(120).timestamp()) // 60, np.ones(len(inquiry.news.events), bool)
    places = places_struck(inquiry, 0, tick, mine)
    events = inquiry.exposed_counts(tick, mine, 0)[:, :AGES].reshape(places[0].events.shape)
    expected = np.zeros_like(events)
    expected[:, [cell.os_type == "windows" for cell in inquiry.news.cells]] = 0.01
    assert find_condition(inquiry.news.cells, events, expected, places=places) == {"group": "kiosk"}


def test_a_cell_that_hosts_came_to_later_is_where_the_others_of_its_system_are(empty_lake):
    """A group of all Windows hosts selects what "Windows" does, whatever model a host has by now."""
    told = world()
    told["host"] = []
    for number, host in enumerate(HOSTS):
        system, model = "windows" if host in KIOSKS else "linux", "later" if number < 4 else "usual"
        told["host"].append({"host_id": host, "os_type": system, "group": f"all {system}", "model": model})
    told["install"] = [row for row in told["install"] if row["host_id"] in HOSTS[4:]]
    with lake_of(told, empty_lake) as lake, Engine(lake, as_of=at(120)) as engine:
        news = read_news(engine)
        (place,) = places_struck(Inquiry(news), 0, int(at(120).timestamp()) // 60, np.ones(len(news.events), bool))
    assert (place.key, place.value) == ("group", "all windows")
    systems = np.array([cell.os_type for cell in news.cells])
    assert sorted(systems.tolist(), key=str).count("windows") == 2
    assert place.is_whole.tolist() == (systems == "windows").tolist()
    assert place.share[0, systems == "windows"].tolist() == [1.0, 1.0]
    assert place.share[0, systems == "linux"].tolist() == [0.0, 0.0]
