"""What else the hosts with an update had when they got it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from fleetcrash.attribution.conditions.companions import others_had, share_that_had
from fleetcrash.attribution.facts.news import CELL_ATTRIBUTES, Cell, News
from fleetcrash.attribution.facts.reading import read_news
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


def world(
    hosts: Sequence[str] = HOSTS,
    versions: tuple[str | None, str | None] = (None, None),
    servers: tuple[bool, bool] = (False, False),
    *,
    spared_got_it: int = GOT_BAD,
    patch: str | None = "22631.3880",
) -> World:
    """Half of the hosts have the policy and crash; what else they have tells nobody apart, or came too late.

    Args:
        versions, servers: the OS's version, and whether they are servers, of those that crash, and of the others.
        spared_got_it: when the others get what is bad.
        patch: the version of the OS patch, and of all else.
    """
    half = hosts[::2]
    installs = [
        *((host, "policy", 10) for host in half),
        *((host, "driver", 10) for host in hosts),
        *((host, "os", 10) for host in half),
        *((host, "ended", 10) for host in half),
        *((host, "follows", 20) for host in half),
        *((host, "bad", GOT_BAD) for host in half),
        *((host, "bad", spared_got_it) for host in hosts[1::2]),
        *((host, "late", GOT_BAD + 1) for host in half),
    ]
    return {
        "host": [
            {
                "host_id": host,
                "os_type": "windows",
                "os_version": versions[number % 2],
                "os_build": "22631.3447",
                "always_on": servers[number % 2],
            }
            for number, host in enumerate(hosts)
        ],
        "update": [
            {"update_id": name, "kind": kind, "version": patch, "channel": CHANNELS.get(name), "released_at": at(0)}
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
    tick, windows = int(at(minute).timestamp()) // 60, np.array([cell.os_type == "windows" for cell in news.cells])
    hosts = np.array(HOSTS[::2], dtype=object)
    found = others_had(news, names.index("bad"), tick, hosts)
    return {
        names[one.update]: (one.with_it[windows].sum() / one.hosts[windows].sum(), float(one.had.mean()))
        for one in found
    }


def test_what_most_that_crashed_had_and_not_all_have_is_told(asked):
    told = asked(120)
    assert told.keys() == {"policy", "follows"}
    assert told["policy"][0] == pytest.approx(0.5, abs=0.25)  # of a sample of the hosts
    assert told["policy"][1] == 1.0


@pytest.mark.variants
@pytest.mark.parametrize(
    ("versions", "servers", "told"),
    [
        (("11", "11"), (False, False), {"policy", "follows"}),
        (("10", "11"), (False, False), set()),
        (("11", "11"), (True, False), set()),
        (("11", "11"), (True, True), {"policy", "follows"}),
    ],
    ids=["alike", "another version", "servers beside others", "servers"],
)
def test_what_all_hosts_of_their_kind_have_tells_nobody_apart(versions, servers, told, empty_lake):
    hosts = [f"h{number}" for number in range(400)]
    with lake_of(world(hosts, versions, servers), empty_lake) as lake, Engine(lake, as_of=at(120)) as engine:
        assert _told(read_news(engine), 120).keys() == told


@pytest.mark.parametrize("patch", [None, "v57"], ids=["without a version", "numbered by the catalogue"])
def test_so_does_a_patch_that_their_build_does_not_tell(patch, empty_lake):
    hosts = [f"h{number}" for number in range(400)]
    with lake_of(world(hosts, patch=patch), empty_lake) as lake, Engine(lake, as_of=at(120)) as engine:
        assert _told(read_news(engine), 120).keys() == {"policy", "follows", "os"}


def test_an_install_counts_from_when_it_was_known(asked):
    assert asked(TOLD_LATE - 1)["policy"][1] == 19 / 20
    assert asked(TOLD_LATE)["policy"][1] == 1.0


@pytest.mark.parametrize("when", [GOT_BAD - 30, GOT_BAD + 30], ids=["before", "after"])
def test_who_got_the_update_when_nobody_was_struck_does_not_say_that_the_fault_needs_another(when, empty_lake):
    """It was mended by then, say: that they lack the policy is no reason for being spared."""
    hosts = [f"h{number}" for number in range(400)]
    with lake_of(world(hosts, spared_got_it=when), empty_lake) as lake, Engine(lake, as_of=at(120)) as engine:
        assert not _told(read_news(engine), 120)


def test_those_struck_first_are_held_against_those_that_got_the_update_first(empty_lake):
    """Whoever is online gets both early and is struck early; a few crash later, for other reasons."""
    hosts = [f"h{number}" for number in range(400)]
    made = world(hosts, spared_got_it=GOT_BAD + 30)
    early_without = [{**row, "applied_at": at(GOT_BAD)} for row in made["install"] if _is_spared(row, hosts[1:40:2])]
    made["install"] = [row for row in made["install"] if not _is_spared(row, hosts[1:40:2])] + early_without
    made["crash"] += [
        {"crash_id": host, "host_id": host, "os_type": "windows", "occurred_at": at(95), "received_at": at(95)}
        for host in hosts[-19::4]
    ]
    with lake_of(made, empty_lake) as lake, Engine(lake, as_of=at(120)) as engine:
        news = read_news(engine)
        names = [suspect.update_id for suspect in news.suspects]
        struck = np.array([row["host_id"] for row in made["crash"]], dtype=object)
        found = others_had(news, names.index("bad"), int(at(120).timestamp()) // 60, struck)
        # Of 220 that got it early 200 have it, of 180 that got it later none.
        assert "policy" not in [names[one.update] for one in found]


def _is_spared(row: dict[str, object], spared: Sequence[str]) -> bool:
    return row["update_id"] == "bad" and row["host_id"] in spared


def _cell(os_type: str, *, always_on: bool = False) -> Cell:
    return Cell(tuple(os_type if name == "os_type" else None for name in CELL_ATTRIBUTES), always_on, 0)


@pytest.mark.parametrize(
    ("part", "struck", "counted", "with_it", "expected"),
    [
        ([1, 1, 1], [9, 0, 9], [990, 990, 990], [490, 990, 990], [0.5, 0.5, 1.0]),
        ([1, 1, 1], [0, 9, 0], [990, 990, 990], [490, 990, 0], [1.0, 1.0, 0.0]),
        ([1, 1, 0], [30, 10, 0], [990, 990, 990], [490, 990, 990], [0.625, 0.625, 0.0]),
        ([1, 1, 1], [0, 0, 9], [990, 990, 990], [0, 1980 / 2, 990], [0.5, 0.5, 1.0]),
        ([1, 0, 0], [9, 0, 0], [2, 990, 990], [1, 490, 490], [11 / 12, 11 / 12, 0.0]),
    ],
    ids=["clients are struck", "servers are struck", "of both kinds", "none of the system is", "few are counted"],
)
def test_the_share_is_that_of_the_kind_of_host_that_is_struck(part, struck, counted, with_it, expected):
    cells = [_cell("windows"), _cell("windows", always_on=True), _cell("linux")]
    told = [np.array(values, float) for values in (struck, counted, with_it)]
    shares = share_that_had(np.array([part], float), cells, *told)[0]
    assert shares[np.array(part, bool)] == pytest.approx(np.array(expected)[np.array(part, bool)], abs=0.01)
