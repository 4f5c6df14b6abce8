"""What a named update is compared with."""

import pytest

from fleetcrash.attribution.reporting.controls import controls_of
from fleetcrash.attribution.reporting.impact import harm_of
from fleetcrash.store import Engine
from tests.fleetcrash.worlds import World, at, lake_of

HOSTS = [f"h{number}" for number in range(20)]


def asked(empty_lake, installed, crashed, window_min=10):
    """Controls of update u, given the minutes of installs by host and of crashes as (host, minute)."""
    world: World = {
        "host": [{"host_id": host, "os_type": "windows"} for host in HOSTS],
        "update": [{"update_id": "u", "kind": "content", "released_at": at(0)}],
        "session": [{"host_id": host, "online_from": at(-600), "online_until": None} for host in HOSTS],
        "install": [{"host_id": h, "update_id": "u", "applied_at": at(minute)} for h, minute in installed.items()],
        "crash": [
            {"crash_id": f"c{number}", "host_id": host, "occurred_at": at(minute), "os_type": "windows"}
            for number, (host, minute) in enumerate(crashed)
        ],
    }
    with lake_of(world, empty_lake) as lake, Engine(lake) as engine:
        return controls_of(engine, "u", harm_of(engine, "u", None).hosts, window_min)


def test_hosts_are_counted_once_and_as_long_before_the_install_as_after_it(empty_lake):
    installed = dict.fromkeys(HOSTS, 60.0)
    crashed = [("h0", 61), ("h0", 62), ("h1", 70), ("h2", 71), ("h3", 50), ("h4", 49), ("h5", 60)]
    found = asked(empty_lake, installed, crashed)
    assert (found.window_min, found.after, found.before) == (10, 3, 2)  # h5 crashed at the install: both may claim it


@pytest.mark.parametrize(("apart", "as_many"), [(60.0, 0.0), (0.0, 1.0)])
def test_the_placebo_tells_whether_it_was_the_hosts_own_install_or_the_moment(empty_lake, apart, as_many):
    installed = {host: number * apart for number, host in enumerate(HOSTS)}
    found = asked(empty_lake, installed, [(host, minute + 2) for host, minute in installed.items()])
    assert found.after == len(HOSTS)
    assert found.placebo_as_many == as_many
    assert found.placebo == pytest.approx(len(HOSTS) if as_many else 1.0, abs=1.0)


def test_without_a_crash_there_is_nothing_to_compare(empty_lake):
    found = asked(empty_lake, {"h0": 60.0}, [])
    assert (found.after, found.before, found.placebo, found.placebo_as_many) == (0, 0, 0.0, 1.0)
