"""The hosts of incidents beside the facts: found with just what is said of the incident, and gone with a host."""

from __future__ import annotations

import pyarrow as pa
import pytest

from fleetcrash.store import Engine
from fleetcrash.store.aggregates import Aggregates
from fleetcrash.store.forgetting import forget
from fleetcrash.store.host_lists import HostLists
from tests.dashboard.fleet import append_rows

SAID = {"incident_id": "inc-1", "evidence": {"hosts_dark": 2, "rate_ratio": {"high": None, "low": 0.1}}}
HOSTS = pa.table({"host_id": ["host-0001", "host-0002"]})


@pytest.fixture
def lists(lake) -> HostLists:
    append_rows(lake, "host", [{"host_id": name, "os_type": "linux"} for name in HOSTS["host_id"].to_pylist()])
    lists = HostLists(lake.root)
    with Engine(lake) as engine:
        lists.keep(engine, SAID, lambda: HOSTS)
    return lists


def test_a_list_is_found_with_what_is_said_of_its_incident_and_with_nothing_else(lists):
    assert lists.find(dict(reversed(SAID.items()))) == HOSTS
    assert lists.find({**SAID, "evidence": {"hosts_dark": 3}}) is None


def test_a_list_is_made_once(lake, lists):
    with Engine(lake) as engine:
        lists.keep(engine, SAID, lambda: pytest.fail("it is there"))


def test_answers_that_are_kept_do_not_push_it_out(lake, lists, monkeypatch):
    monkeypatch.setattr("fleetcrash.store.aggregates.MOST_FILES", 2)
    for number in range(4):
        Aggregates(lake.root).put(f"{number:032}", HOSTS, rests_on=[])
    assert Aggregates(lake.root).find(f"{0:032}") is None
    assert lists.find(SAID) == HOSTS


def test_forgetting_a_host_takes_the_lists_with_it(lake, lists):
    receipt = forget(lake, "host-0001")
    assert not receipt.remaining
    assert lists.find(SAID) is None
    assert not [path for path in lake.root.rglob("*.parquet") if b"host-0001" in path.read_bytes()]


def test_a_list_from_what_is_forgotten_meanwhile_is_not_kept(lake, lists):
    other = {**SAID, "incident_id": "inc-2"}

    def make() -> pa.Table:
        forget(lake, "host-0001")
        return HOSTS

    with Engine(lake) as engine:
        lists.keep(engine, other, make)
    assert lists.find(other) is None


def test_where_nothing_can_be_written_there_is_no_list(lake):
    (lake.root / "_cache").write_text("in the way")
    append_rows(lake, "host", [{"host_id": "a", "os_type": "linux"}])
    with Engine(lake) as engine:
        HostLists(lake.root).keep(engine, SAID, lambda: HOSTS)
    assert HostLists(lake.root).find(SAID) is None
