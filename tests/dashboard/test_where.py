"""Where a rise is that no update is named for, in the largest type of the page."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dashboard.banner import headline, plain_headline
from dashboard.incidents import Candidate, Incident, Where, read_judgement
from dashboard.next_step import next_words
from dashboard.snapshot import LakeState, Snapshot, Update
from tests.dashboard.fleet import GUILTY, NOW, RELEASED, incident, outage, tick

SINCE = RELEASED.replace(minute=1)
SNAPSHOT = Snapshot(1, LakeState.READY, Path("lake"), as_of=NOW, updates=(Update(GUILTY, "content", RELEASED, None),))


def said(*, crashed: int = 0, dark: int = 40, name: str = "site lab", dimension: str = "site", **changed: Any) -> str:
    """The headline of an incident, without its tags."""
    where = Where(name, dimension, SINCE, changed.pop("module", ""))
    given = {"verdict": "no_update", "cause": "site", **changed}
    one = Incident("inc-1", evidence={"hosts_crashed": crashed, "hosts_dark": dark}, where=where, **given)
    return headline(one, SNAPSHOT).replace("<b>", "").replace("</b>", "")


@pytest.mark.parametrize(
    ("name", "dimension", "words"),
    [
        ("region amer", "region", "in region amer"),
        ("site lab", "site", "at site lab"),
        ("customer acme", "customer", "at customer acme"),
        ("the whole fleet", "", "across the whole fleet"),
        ("Linux, region amer", "os_type", "on Linux, region amer"),
        ("agent ≥ 7.11", "agent_version", "on agent ≥ 7.11"),
        ("Linux and Windows", "", "on Linux and Windows"),
        ("region apac and emea", "", "in region apac and emea"),
    ],
)
def test_a_place_is_said_as_people_say_it(name: str, dimension: str, words: str):
    assert (
        said(name=name, dimension=dimension) == f"Servers went dark {words} from 12:01 UTC, and no update is to blame"
    )


def test_a_module_is_said_with_the_crashes_in_it():
    both = said(crashed=30, module="third.sys")
    assert both.startswith("Crashes in third.sys rose and servers went dark at site lab from 12:01 UTC, and no update")
    alone = said(crashed=30, dark=0, cause="module", name="the whole fleet", dimension="", module="third.sys")
    assert alone == "Crashes in third.sys rose across the whole fleet from 12:01 UTC, and no update is to blame"


def test_what_the_place_does_not_say_is_said_beside_it():
    assert said(cause="host").endswith("from 12:01 UTC, and no update is to blame: this follows single hosts")
    late = said(cause="backlog", name="", dimension="", crashed=40, dark=0)
    assert late.endswith(
        "rose from 12:01 UTC, and no update is to blame: this follows a backlog of old reports arriving at once"
    )


def test_so_is_what_is_still_being_judged_and_what_is_tied():
    assert said(verdict="undetermined") == "Servers went dark at site lab from 12:01 UTC; what did it is being judged"
    tied = said(verdict="cannot_separate", dark=0, crashed=40)
    assert tied.endswith("cannot be told yet. A rise at site lab from 12:01 UTC fits better")


def test_text_of_the_fleet_is_no_markup():
    assert "<i>" not in said(name="site <i>", module="<i>", crashed=40)


def test_what_is_open_elsewhere_is_told_by_its_place_too():
    one = Incident("inc-1", "no_update", cause="region", where=Where("region amer", "region", SINCE, ""))
    assert plain_headline(one) == "Crashes rose in region amer, put down to no update"


def test_the_banner_and_the_page_say_it(tmp_path: Path, overview, incident_page):
    where = {
        "kind": "wave",
        "name": "region amer",
        "dimension": "region",
        "since": "2026-03-04T12:01:00Z",
        "module": None,
    }
    evidence = {**incident()["evidence"], "hosts_crashed": 0, "hosts_dark": 3850}
    lake = outage(tmp_path / "lake")
    tick(
        lake, [incident(verdict="no_update", update_id=None, cause="region", evidence=evidence, impact={}, where=where)]
    )
    title = "Servers went dark in region amer from 12:01 UTC, and no update is to blame"
    assert title in overview(lake.root).text
    text = incident_page(lake.root, "inc-0001").text
    assert title in text
    assert "no update a rise in region amer" in text
    assert "No update is to blame, so no host is exposed to one." in text
    assert "once an update is named" not in text


@pytest.mark.parametrize("where", [None, "amer", {}, {"name": 3}])
def test_a_document_that_says_it_otherwise_is_read(where: object):
    read = read_judgement(NOW, NOW, json.dumps({"incidents": [{"incident_id": "inc-1", "where": where}]}))
    assert read.find("inc-1") is not None


@pytest.mark.parametrize(
    ("withdrawn", "words"),
    [
        ((), "pause the rollout of both; the next hosts to install one without another will tell."),
        (("a",), "pause the rollout of b; the next hosts to install one without another will tell. a was withdrawn"),
        (("a", "b"), "a was withdrawn 14:00 UTC; b was withdrawn 14:00 UTC; hosts keep them until removed."),
    ],
)
def test_what_is_withdrawn_is_not_to_be_paused(withdrawn: tuple[str, ...], words: str):
    updates = tuple(Update(name, "content", RELEASED, NOW if name in withdrawn else None) for name in ("a", "b"))
    snapshot = Snapshot(1, LakeState.READY, Path("lake"), as_of=NOW, updates=updates)
    tied = tuple(Candidate(name, 0.49) for name in ("a", "b"))
    now = next_words(Incident("inc-1", verdict="cannot_separate", candidates=tied), snapshot)
    assert words in now
    assert ("pause" in now) == (len(withdrawn) < 2)


def test_a_tie_about_one_update_that_is_withdrawn_says_so():
    snapshot = replace(SNAPSHOT, updates=(Update(GUILTY, "content", RELEASED, NOW),))
    alone = Incident("inc-1", verdict="cannot_separate", candidates=(Candidate(GUILTY, 0.5),))
    now = next_words(alone, snapshot)
    assert f"{GUILTY} was withdrawn 14:00 UTC; hosts keep it until removed." in now
    assert "pause" not in now


@pytest.mark.parametrize(
    ("cause", "where", "words"),
    [
        ("region", Where("region amer", "region", SINCE, ""), "power, network or a shared service in region amer from"),
        ("other", Where("Windows", "os_type", SINCE, ""), "look for what else changed on Windows from"),
        ("module", Where("Windows", "os_type", SINCE, "gpu.sys"), "what brought or changed gpu.sys on Windows from"),
        ("host", None, "look at these hosts one by one"),
        ("backlog", None, "old reports came all at once"),
        ("clock", None, "look at the clocks of its hosts"),
        (None, None, "look for what else changed."),
    ],
)
def test_where_no_update_is_to_blame_it_is_said_where_to_look(cause: str | None, where: Where | None, words: str):
    now = next_words(Incident("inc-1", "no_update", cause=cause, where=where), SNAPSHOT)
    assert words in now
    assert "Withdrawing an update would not help." in now
