"""Whose events are whose: what a named incident may claim, by the systems that its update reached."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from fleetcrash.attribution.detection.claims import Claims
from fleetcrash.attribution.facts.reading import read_news
from fleetcrash.attribution.hypotheses.inquiry import Inquiry
from fleetcrash.attribution.hypotheses.modules import ModuleRise
from fleetcrash.attribution.incidents.incident import Incident
from fleetcrash.attribution.weighing.judgement import Kind
from fleetcrash.store import Engine
from tests.fleetcrash.worlds import World, at, crash_of, lake_of

SYSTEM = {0: "windows", 1: "darwin"}  # of the hosts in the inventory; it lacks the third


def claimed(installed: tuple[int, ...], empty: Path, *, watched: tuple[str, str] = ("all", "")) -> list[int]:
    """The hosts whose crashes an incident claims that names an update which some of three hosts got.

    Args:
        watched: the spot of the incident.
    """
    world: World = {
        "host": [{"host_id": f"h{n}", "os_type": system} for n, system in SYSTEM.items()],
        "session": [{"host_id": f"h{n}", "online_from": at(-600)} for n in range(3)],
        "update": [{"update_id": "named", "kind": "agent", "released_at": at(0)}],
        "install": [{"host_id": f"h{n}", "update_id": "named", "applied_at": at(5)} for n in installed],
        "crash": [{**crash_of(n, 10), "os_type": SYSTEM.get(n, "windows")} for n in range(3)],
    }
    tick = int(at(20).timestamp()) // 60
    with lake_of(world, empty) as lake, Engine(lake, as_of=at(20)) as engine:
        inquiry = Inquiry(read_news(engine))
        for minute in range(inquiry.first_tick, tick + 1):
            inquiry.advance(minute, claimed=inquiry.too_early, disturbed=lambda _: False)
        incident = Incident.opened(tick, 0)
        incident.said.update, incident.claims_all = 0, True
        incident.spot = next(spot for spot in range(len(inquiry.spots)) if inquiry.spots.name(spot) == watched)
        Claims(inquiry).stake([incident], tick)
        events = inquiry.news.events
        return sorted(int(host[1:]) for host in events.host[np.flatnonzero(incident.claim(len(events)))].tolist())


@pytest.mark.variants
@pytest.mark.parametrize(
    ("installed", "hosts"), [((0,), [0, 2]), ((0, 2), [0, 2]), ((1, 2), [1, 2]), ((0, 1), [0, 1, 2]), ((2,), [0, 1, 2])]
)
def test_a_named_incident_claims_nothing_of_systems_that_its_update_never_reached(empty_lake, installed, hosts):
    """Hosts that the inventory lacks may be of any, but do not make it everybody's."""
    assert claimed(installed, empty_lake) == hosts


@pytest.mark.variants
@pytest.mark.parametrize(("installed", "hosts"), [((0,), [0]), ((0, 2), [0, 2]), ((0, 1, 2), [0, 2])])
def test_one_that_is_watched_in_a_system_claims_of_hosts_that_the_inventory_lacks_those_with_its_update(
    empty_lake, installed, hosts
):
    assert claimed(installed, empty_lake, watched=("os_type", "windows")) == hosts


@pytest.mark.parametrize(("installed", "left"), [((0, 1), [2, 3, 4]), ((0, 1, 2, 3), [])])
def test_what_goes_on_in_a_module_since_before_is_none_of_an_update_named_since(empty_lake, installed, left):
    """Unless most of it struck hosts that have the update."""
    crashes = [(2, 10, "cam.sys"), (3, 12, "cam.sys"), (0, 40, "bad.sys"), (1, 41, "bad.sys"), (4, 42, "cam.sys"),
               (5, 43, "net.sys")]  # fmt: skip
    world: World = {
        "host": [{"host_id": f"h{number}", "os_type": "windows"} for number in range(6)],
        "session": [{"host_id": f"h{number}", "online_from": at(-600)} for number in range(6)],
        "update": [{"update_id": "named", "kind": "content", "released_at": at(0)}],
        "install": [{"host_id": f"h{number}", "update_id": "named", "applied_at": at(5)} for number in installed],
        "crash": [{**crash_of(number, minute), "module": module} for number, minute, module in crashes],
    }
    tick = int(at(50).timestamp()) // 60
    with lake_of(world, empty_lake) as lake, Engine(lake, as_of=at(50)) as engine:
        inquiry = Inquiry(read_news(engine))
        for minute in range(inquiry.first_tick, tick + 1):
            inquiry.advance(minute, claimed=inquiry.too_early, disturbed=lambda _: False)
        earlier, later = Incident.opened(tick - 35, 0), Incident.opened(tick, 0)
        earlier.rise = ModuleRise(("cam.sys",), "windows", 0.1)
        claims = Claims(inquiry)
        claims.stake([earlier], tick - 36)
        later.said.update, later.said.kind = 0, Kind.UPDATE
        later.onset_minute = tick - 45
        claims.stake([earlier, later], tick)
        hosts = inquiry.news.events.host
        assert sorted(int(host[1:]) for host in hosts[earlier.claim(len(hosts))]) == left
        assert sorted(int(host[1:]) for host in hosts[later.claim(len(hosts))]) == sorted(set(range(6)) - set(left))
