"""What begins beside a named update's rise is another incident, and takes the name away from nobody."""

from __future__ import annotations

import numpy as np
import pytest

from fleetcrash.attribution.backtest import incidents
from tests.dashboard.fleet import append_rows
from tests.fleetcrash.worlds import at, crash_of

HOSTS, SITES = 600, 6
OUTAGE = 100  # the minute in which a site goes dark


@pytest.mark.slow
def test_a_site_that_goes_dark_minutes_after_a_name_is_another_incident(lake):
    """Servers get an update one after the other, from minute 30 to 230; one in twelve crashes two minutes later."""
    draw = np.random.default_rng(7)
    names, site = [f"h{number}" for number in range(HOSTS)], np.arange(HOSTS) % SITES
    hosts = [
        {"host_id": name, "os_type": "windows", "region": "eu", "site": f"site-{number}", "always_on": True}
        for name, number in zip(names, site, strict=True)
    ]
    append_rows(lake, "host", hosts)
    append_rows(lake, "update", [{"update_id": "guilty", "kind": "content", "released_at": at(30)}])
    got_at = dict(zip(draw.permutation(HOSTS).tolist(), np.linspace(30, 230, HOSTS).tolist(), strict=True))
    installs = [{"host_id": names[one], "update_id": "guilty", "applied_at": at(got)} for one, got in got_at.items()]
    append_rows(lake, "install", installs)
    sessions = [{"host_id": name, "online_from": at(-900)} for name in names]
    for one in np.flatnonzero(site == 0).tolist():
        sessions[one]["online_until"] = at(OUTAGE + one / HOSTS)
    append_rows(lake, "session", sessions)
    struck = [one for one in got_at if draw.random() < 1 / 12 and not (site[one] == 0 and got_at[one] > OUTAGE - 3)]
    usual = [(int(draw.integers(HOSTS)), float(draw.uniform(-900, 30))) for _ in range(12)]
    crashes = [(one, got_at[one] + 2) for one in struck if got_at[one] < 228] + usual
    append_rows(lake, "crash", [crash_of(one, minute) for one, minute in crashes])
    first, *others = incidents(lake, as_of=at(240))["incidents"]
    assert first["update_id"] == "guilty"
    assert {turn["update_id"] for turn in first["history"]} <= {None, "guilty"}
    assert [(one["verdict"], one["cause"]) for one in others] == [("no_update", "site")]
