"""The oracle, which knows update and condition, counts what hosts do once they have the update."""

from __future__ import annotations

import pytest

from bench.attribution.oracle import ask
from tests.fleetcrash.worlds import World, at, crash_of, lake_of

HOSTS, RELEASED, UNTIL = 200, 3000, 3200


def fleet(installed: int) -> World:
    """Two calm days, a release, crashes of forty hosts in the hours after, and installs at some minute."""
    return {
        "host": [{"host_id": f"h{number}", "os_type": "windows"} for number in range(HOSTS)],
        "session": [{"host_id": f"h{number}", "online_from": at(-1000)} for number in range(HOSTS)],
        "update": [{"update_id": "u", "kind": "content", "channel": "1", "released_at": at(RELEASED)}],
        "install": [
            {"host_id": f"h{number}", "update_id": "u", "applied_at": at(installed)} for number in range(HOSTS)
        ],
        "crash": [
            *(crash_of(number, 200 * number) for number in range(10)),
            *(crash_of(number, RELEASED + number) for number in range(20, 60)),
        ],
    }


@pytest.mark.parametrize(("installed", "crashed"), [(RELEASED, 40), (UNTIL, 0)])
def test_a_crash_of_before_the_install_says_nothing(empty_lake, installed, crashed):
    with lake_of(fleet(installed), empty_lake) as lake:
        known = ask(lake, "u", {"os_type": "windows"}, at(RELEASED))
    assert len(known.times) == crashed
    if not crashed:
        assert known.alarm is known.opening is None
    else:
        assert known.alarm is not None
        assert known.opening is not None
        assert known.opening <= known.alarm


def test_what_is_told_late_is_not_known_before(empty_lake):
    world = fleet(RELEASED)
    world["install"] = [{**row, "received_at": at(UNTIL)} for row in world["install"]]
    with lake_of(world, empty_lake) as lake:
        known = ask(lake, "u", {"os_type": "windows"}, at(RELEASED))
    assert known.opening == known.alarm == at(UNTIL)
