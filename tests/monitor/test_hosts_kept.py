"""The monitor keeps the hosts of incidents that are those of no update, for the pages."""

from __future__ import annotations

import json

import pyarrow.compute as pc

from fleetcrash.store.host_lists import HostLists
from monitor.loop import Monitor
from tests.fleetcrash import dark_site
from tests.fleetcrash.worlds import lake_of


def test_the_hosts_of_an_incident_are_kept_beside_what_is_said_of_it(empty_lake):
    with lake_of(dark_site.world(), empty_lake) as lake:
        monitor = Monitor(lake)
        found = monitor.look()
        monitor.close()
        assert found is not None
        (incident,) = json.loads(json.dumps(found))["incidents"]
        hosts = HostLists(lake.root).find(incident)
    assert hosts is not None
    evidence = incident["evidence"]
    assert pc.sum(pc.is_valid(hosts["crashed_at"])).as_py() == evidence["hosts_crashed"] == len(dark_site.CRASHED)
    assert pc.sum(pc.is_valid(hosts["dark_at"])).as_py() == evidence["hosts_dark"] == dark_site.AT_LAB
    assert "h39" not in json.dumps(found)  # what is said does not grow by them
