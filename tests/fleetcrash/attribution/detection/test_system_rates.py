"""What hosts without an update tell of how often those of their system crash."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest

from fleetcrash.attribution.detection.system_rates import as_usual_beside
from fleetcrash.attribution.expected.baseline import CRASH, OUTCOMES
from fleetcrash.attribution.facts.reading import read_news
from fleetcrash.attribution.hypotheses.inquiry import Inquiry
from fleetcrash.store import Engine
from tests.fleetcrash.worlds import Row, World, at, lake_of

WINDOWS = [f"w{number:02}" for number in range(60)]
LINUX = [f"l{number:02}" for number in range(60)]
GOT_IT = 60


def world(crashed: Sequence[str], *, with_installs: bool = True) -> World:
    """Every second host gets the update; these crash half an hour after that."""
    hosts = {**dict.fromkeys(WINDOWS, "windows"), **dict.fromkeys(LINUX, "linux")}
    installs: list[Row] = [
        {"host_id": host, "update_id": "bad", "applied_at": at(GOT_IT), "received_at": at(GOT_IT)}
        for host in [*WINDOWS[::2], *LINUX[::2]]
    ]
    return {
        "host": [{"host_id": host, "os_type": system} for host, system in hosts.items()],
        "update": [{"update_id": "bad", "kind": "content", "released_at": at(GOT_IT)}],
        "session": [{"host_id": host, "online_from": at(-600), "online_until": None} for host in hosts],
        "install": installs if with_installs else [],
        "crash": [
            {"crash_id": host, "host_id": host, "os_type": hosts[host], "occurred_at": at(90), "received_at": at(91)}
            for host in ["w00", *crashed]  # the first one tells since when crashes are told
        ],
    }


@pytest.fixture
def usual(empty_lake) -> Callable[..., dict[str, float]]:
    """How many times as many crashes as by the baseline are usual for each system."""

    def ask(crashed: Sequence[str], *, with_installs: bool = True) -> dict[str, float]:
        made = world(crashed, with_installs=with_installs)
        made["crash"].insert(0, {**made["crash"][0], "crash_id": "early", "occurred_at": at(0), "received_at": at(0)})
        with lake_of(made, empty_lake) as lake, Engine(lake, as_of=at(120)) as engine:
            inquiry = Inquiry(read_news(engine))
            events, last = len(inquiry.news.events), int(at(120).timestamp()) // 60
            for tick in range(inquiry.news.first_tick, last + 1):
                inquiry.advance(tick, claimed=np.zeros(events, bool), disturbed=lambda _: False)
            found = as_usual_beside(inquiry, 0, last, np.ones(events, bool))
            assert found.shape == (OUTCOMES, len(inquiry.news.cells))
            systems = [cell.os_type for cell in inquiry.news.cells]
            return {name: float(found[CRASH, systems.index(name)]) for name in ("windows", "linux")}

    return ask


def test_hosts_without_the_update_tell_what_is_usual_for_their_system(usual):
    """Five where next to none is expected, of which ten stand for the baseline: half as many again."""
    assert usual(WINDOWS[1:11:2]) == {"windows": pytest.approx(1.5, abs=0.03), "linux": pytest.approx(1.0, abs=0.03)}


def test_hosts_with_the_update_do_not(usual):
    assert usual(WINDOWS[2:40:2])["windows"] == pytest.approx(1.0, abs=0.03)


def test_a_baseline_is_never_far_from_what_is_usual(usual):
    """Thirty that tell of no install may have had it all the same."""
    assert usual(LINUX[1::2])["linux"] == 2.0


def test_where_nobody_tells_of_installs_nobody_is_known_to_lack_it(usual):
    assert usual(WINDOWS[1:11:2], with_installs=False) == {"windows": 1.0, "linux": 1.0}
