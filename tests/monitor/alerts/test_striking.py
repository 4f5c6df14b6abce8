"""What a forgotten host leaves of what was told: everything but its name."""

from __future__ import annotations

import json

import pytest

from fleetcrash.store.mentions import Mentions
from monitor.alerts.outbox import Outbox
from monitor.alerts.striking import strike
from tests.monitor.alerts.conftest import Told, incident, named, webhook


@pytest.fixture
def told(tmp_path, clock, hook) -> Told:
    return Told(tmp_path, clock, webhook(hook), dashboard="https://fleet.example")


def rows_of(root) -> list[dict]:
    with Outbox(root) as outbox:
        return outbox.rows("SELECT told, body FROM message JOIN alert USING (number)")


@pytest.mark.parametrize("word", ["named", "at", "update", "windows", "summary", "crashed", "3", "content-7"])
def test_keys_and_words_of_ours_are_no_host(told, tmp_path, hook, word):
    told.found(named(condition={"os_type": "windows"}))
    before = rows_of(tmp_path)
    assert strike(tmp_path, Mentions(word)) == 0
    assert rows_of(tmp_path) == before
    told.found(named(condition={"os_type": "windows"}), incident("inc-2"), minute=11)
    told.sent()
    assert hook.events == [("inc-1", "opened"), ("inc-2", "opened")]


def test_a_host_is_struck_out_of_what_is_said_in_words_and_of_what_owners_name(told, tmp_path):
    told.found(named(condition={"site": "host-07", "os_type": "windows"}, summary="All in site host-07."))
    assert strike(tmp_path, Mentions("host-07")) == 2
    ((row),) = rows_of(tmp_path)
    body, kept = json.loads(row["body"]), json.loads(row["told"])
    assert (body["summary"], body["verdict"], body["alert"]) == ("All in site forgotten host.", "update", "inc-1")
    assert body["condition"] == kept["condition"] == {"site": "forgotten host", "os_type": "windows"}
