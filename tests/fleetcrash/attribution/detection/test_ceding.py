"""What begins beside a named update's rise, or is told beside it, takes the name away from nobody."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from fleetcrash.attribution.backtest import incidents
from fleetcrash.store import Lake
from tests.dashboard.fleet import append_rows
from tests.fleetcrash.worlds import Row, at, crash_of

HOSTS, SITES = 600, 6
SITE = np.arange(HOSTS) % SITES
LATER = 100  # the minute in which something else happens


def _rolled_out(lake: Lake, draw: np.random.Generator, *, gone: dict[int, float], others: Sequence[Row] = ()) -> None:
    """Servers get an update one after the other, from minute 30 to 225; one in twelve crashes two minutes later.

    Args:
        gone: the minute in which a host falls silent, before it gets anything. others: more crashes.
    """
    names = [f"h{number}" for number in range(HOSTS)]
    hosts = [
        {"host_id": name, "os_type": "windows", "region": "eu", "site": f"site-{number}", "always_on": True}
        for name, number in zip(names, SITE.tolist(), strict=True)
    ]
    append_rows(lake, "host", hosts)
    released = {"guilty": 30, "innocent": -840}
    updates = [{"update_id": one, "kind": "content", "released_at": at(minute)} for one, minute in released.items()]
    append_rows(lake, "update", updates)
    order = draw.permutation(HOSTS).tolist()
    got_at = dict(zip(order, np.linspace(30, 225, HOSTS).tolist(), strict=True))
    installs = [{"host_id": names[one], "update_id": "guilty", "applied_at": at(got)} for one, got in got_at.items()]
    everybody = [{"host_id": name, "update_id": "innocent", "applied_at": at(-835)} for name in names]
    append_rows(lake, "install", installs + everybody)
    until = [at(gone[one]) if one in gone else None for one in range(HOSTS)]
    sessions = [
        {"host_id": name, "online_from": at(-900), "online_until": end} for name, end in zip(names, until, strict=True)
    ]
    append_rows(lake, "session", sessions)
    struck = [one for one in order if draw.random() < 1 / 12 and got_at[one] + 3 < gone.get(one, np.inf)]
    usual = [crash_of(int(draw.integers(HOSTS)), float(draw.uniform(-900, 30))) for _ in range(12)]
    append_rows(lake, "crash", [*(crash_of(one, got_at[one] + 2) for one in struck), *usual, *others])


@pytest.mark.slow
def test_a_site_that_goes_dark_minutes_after_a_name_is_another_incident(lake):
    gone = {one: LATER + one / HOSTS for one in np.flatnonzero(SITE == 0).tolist()}
    _rolled_out(lake, np.random.default_rng(7), gone=gone)
    first, *others = incidents(lake, as_of=at(240))["incidents"]
    assert first["update_id"] == "guilty"
    assert {turn["update_id"] for turn in first["history"]} <= {None, "guilty"}
    assert [(one["verdict"], one["cause"]) for one in others] == [("no_update", "site")]


@pytest.mark.slow
def test_crashes_of_long_before_the_update_that_are_told_once_it_is_named_say_nothing_against_it(lake):
    draw = np.random.default_rng(8)
    old = [crash_of(int(one), float(draw.uniform(-800, -40))) for one in draw.permutation(HOSTS)[:300]]
    backlog = [row | {"received_at": at(LATER + number / 100)} for number, row in enumerate(old)]
    _rolled_out(lake, draw, gone={}, others=backlog)
    (found,) = incidents(lake, as_of=at(240))["incidents"]
    names = [turn["update_id"] for turn in found["history"]]
    assert set(names[names.index("guilty") :]) == {"guilty"}
