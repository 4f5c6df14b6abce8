"""What else the hosts with an update had when they got it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from fleetcrash.attribution.companions import others_had
from fleetcrash.attribution.news import News
from fleetcrash.attribution.reading import read_news
from fleetcrash.store import Engine
from tests.fleetcrash.worlds import World, at, lake_of

HOSTS = [f"h{number}" for number in range(40)]
KINDS = {
    "bad": "content",
    "policy": "policy",
    "driver": "driver",
    "late": "policy",
    "ended": "content",
    "follows": "content",
    "os": "os_patch",
}
CHANNELS = {"bad": "1", "ended": "2", "follows": "2"}
GOT_BAD, TOLD_LATE = 60, 90


def world(hosts: Sequence[str] = HOSTS, versions: tuple[str | None, str | None] = (None, None)) -> World:
    """Half of the hosts have the policy and crash; what else they have tells nobody apart, or came too late.

    Args:
        versions: of the OS of those that crash, and of the others.
    """
    half = hosts[::2]
    installs = [
        *((host, "policy", 10) for host in half),
        *((host, "driver", 10) for host in hosts),
        *((host, "os", 10) for host in half),
        *((host, "ended", 10) for host in half),
        *((host, "follows", 20) for host in half),
        *((host, "bad", GOT_BAD) for host in hosts),
        *((host, "late", GOT_BAD + 1) for host in half),
    ]
    return {
        "host": [
            {"host_id": host, "os_type": "windows", "os_version": versions[number % 2]}
            for number, host in enumerate(hosts)
        ],
        "update": [
            {"update_id": name, "kind": kind, "channel": CHANNELS.get(name), "released_at": at(0)}
            for name, kind in KINDS.items()
        ],
        "session": [{"host_id": host, "online_from": at(-600), "online_until": None} for host in hosts],
        "install": [
            {
                "host_id": host,
                "update_id": update,
                "applied_at": at(minute),
                "received_at": at(TOLD_LATE if update == "policy" and host == "h0" else minute),
            }
            for host, update, minute in installs
        ],
        "crash": [
            {"crash_id": host, "host_id": host, "os_type": "windows", "occurred_at": at(62), "received_at": at(62)}
            for host in half
        ],
    }


@pytest.fixture
def asked(empty_lake):
    """What is told of the hosts that crashed, as of a minute: share of all and of those, by the name of the update."""
    with lake_of(world(), empty_lake) as lake, Engine(lake, as_of=at(120)) as engine:
        news = read_news(engine)
        yield lambda minute: _told(news, minute)


def _told(news: News, minute: int) -> dict[str, tuple[float, float]]:
    names = [suspect.update_id for suspect in news.suspects]
    tick, windows = int(at(minute).timestamp()) // 60, [cell.os_type for cell in news.cells].index("windows")
    hosts = np.array(HOSTS[::2], dtype=object)
    found = others_had(news, names.index("bad"), tick, hosts)
    return {names[other]: (float(share[windows]), float(had.mean())) for other, share, had in found}


def test_what_most_that_crashed_had_and_not_all_have_is_told(asked):
    told = asked(120)
    assert told.keys() == {"policy", "follows"}
    assert told["policy"][0] == pytest.approx(0.5, abs=0.25)  # of a sample of the hosts
    assert told["policy"][1] == 1.0


def test_what_all_hosts_of_their_version_have_tells_nobody_apart(empty_lake):
    hosts = [f"h{number}" for number in range(400)]
    for versions, told in ((("11", "11"), {"policy", "follows"}), (("10", "11"), set())):
        with lake_of(world(hosts, versions), empty_lake) as lake, Engine(lake, as_of=at(120)) as engine:
            assert _told(read_news(engine), 120).keys() == told


def test_an_install_counts_from_when_it_was_known(asked):
    assert asked(TOLD_LATE - 1)["policy"][1] == 19 / 20
    assert asked(TOLD_LATE)["policy"][1] == 1.0
