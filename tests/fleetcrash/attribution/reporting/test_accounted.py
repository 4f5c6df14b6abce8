"""Whom an incident hit that names no update: one by one those that it counts."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator

import pytest

from fleetcrash.attribution.backtest import incidents
from fleetcrash.attribution.hosts import columns_of, list_hosts
from fleetcrash.attribution.reporting.accounted import ACCOUNTED_COLUMNS
from fleetcrash.errors import UnknownName
from fleetcrash.store import Lake
from fleetcrash.times import time_text
from tests.dashboard import fleet
from tests.fleetcrash import dark_site
from tests.fleetcrash.short import short_outage
from tests.fleetcrash.worlds import at, lake_of

JUST_BACK = 260  # a quarter of an hour after most of the site came back
LAB = {f"h{number}" for number in range(dark_site.AT_LAB)}


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Iterator[Lake]:
    """A site that went dark; nobody writes to it."""
    empty = Lake.create(tmp_path_factory.mktemp("site") / "lake").root
    with lake_of(dark_site.world(), empty) as lake:
        yield lake


@pytest.fixture(scope="module")
def incident_id(site) -> str:
    (incident,) = incidents(site)["incidents"]
    assert incident["verdict"] == "no_update"
    return str(incident["incident_id"])


@pytest.mark.variants
@pytest.mark.parametrize("minute", [dark_site.DARK + 35, JUST_BACK, dark_site.NOW])
def test_hosts_of_an_incident_are_those_that_it_counts(site, incident_id, minute):
    (incident,) = incidents(site, as_of=at(minute))["incidents"]
    found = list_hosts(site, incident_id, as_of=at(minute), condition=None, state=None)
    crashed = {row["host_id"] for row in found["hosts"] if row["crashed_at"]}
    dark = {row["host_id"] for row in found["hosts"] if row["dark_at"]}
    counts = incident["evidence"]
    assert (len(crashed), len(dark)) == (counts["hosts_crashed"], counts["hosts_dark"])
    assert sum(row["crashes"] for row in found["hosts"]) == counts["crashes"]
    assert f"{len(crashed)} hosts crashed and {len(dark)} went dark" in incident["summary"]
    assert dark == LAB
    assert crashed <= {f"h{number}" for number in dark_site.CRASHED}
    assert len(found["hosts"]) == len(crashed | dark)


def test_each_is_told_with_what_it_is_where_it_stands_and_when(site, incident_id):
    found = list_hosts(site, incident_id, as_of=at(JUST_BACK), condition=None, state=None)
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert (found["incident_id"], found["update_id"], found["as_of"]) == (incident_id, None, time_text(at(JUST_BACK)))
    told = {row["host_id"]: row for row in found["hosts"]}
    assert list(told["h0"]) == list(columns_of(found)) == list(ACCOUNTED_COLUMNS)
    assert {row["site"] for row in told.values()} == {"lab"}
    assert {(row["os_type"], row["os_build"], row["region"]) for row in told.values()} == {
        ("windows", "20348.1", "emea")
    }
    assert told["h0"]["crashed_at"] == time_text(at(dark_site.BACK + 1))
    assert {row["dark_at"] for row in told.values()} == {time_text(at(dark_site.DARK))}
    assert told["h5"]["last_seen_at"] == time_text(at(dark_site.DARK))


def test_their_states_are_those_of_the_instant(site, incident_id):
    def states(minute: float) -> dict[str, int]:
        found = list_hosts(site, incident_id, as_of=at(minute), condition=None, state=None)
        counted = Counter(row["state"] for row in found["hosts"])
        assert found["counts"] == {**dict.fromkeys(found["counts"], 0), **counted}
        return dict(counted)

    hosts, lasting, crashed = dark_site.AT_LAB, len(dark_site.LASTING), len(dark_site.CRASHED)
    assert states(dark_site.DARK + 35) == {"dark": hosts}
    assert states(JUST_BACK) == {"dark": lasting, "crashed": crashed, "at_risk": hosts - lasting - crashed}
    assert states(dark_site.NOW) == {"dark": lasting, "recovered": hosts - lasting}


def test_those_in_one_state_or_that_meet_a_condition(site, incident_id):
    dark = list_hosts(site, incident_id, as_of=None, condition=None, state="dark")
    assert {row["host_id"] for row in dark["hosts"]} == {f"h{number}" for number in dark_site.LASTING}
    every = list_hosts(site, incident_id, as_of=None, condition={"site": "lab"}, state=None)
    assert len(every["hosts"]) == dark_site.AT_LAB
    assert list_hosts(site, incident_id, as_of=None, condition={"site": "s1"}, state=None)["hosts"] == []


def test_an_incident_that_is_not_known_yet_is_an_unknown_name(site, incident_id):
    with pytest.raises(UnknownName, match=f"No incident '{incident_id}' is known as of"):
        list_hosts(site, incident_id, as_of=at(dark_site.DARK), condition=None, state=None)


@pytest.mark.slow
def test_of_one_that_names_an_update_they_are_the_updates(tmp_path):
    lake = short_outage(tmp_path / "lake")
    (incident,) = incidents(lake)["incidents"]
    of_update = list_hosts(lake, fleet.GUILTY, as_of=None, condition=None, state=None)
    found = list_hosts(lake, incident["incident_id"], as_of=None, condition=None, state=None)
    assert (found["update_id"], found["condition"]) == (fleet.GUILTY, incident["condition"])
    assert {**found["counts"], "exposed": incident["impact"]["exposed"]} == incident["impact"]
    told = of_update["hosts"]
    assert [{name: row[name] for name in told[0]} for row in found["hosts"]] == told
    assert set(found["hosts"][0]) == set(ACCOUNTED_COLUMNS)
