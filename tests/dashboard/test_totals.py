"""Totals reconcile: the same quantity read from each page that shows it, from ``--json`` and from SQL is one number."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

import pytest

import cli
from dashboard.incidents import STATES
from fleetcrash.store import Engine, Lake
from tests.dashboard.conftest import Page
from tests.dashboard.fleet import GUILTY, NOW, RELEASED, START, append_rows, outage, tick


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """The outage with a host in every state, judged by the detector itself."""
    lake = outage(tmp_path_factory.mktemp("totals") / "lake")
    half_past = RELEASED + timedelta(minutes=30)
    server = {"host_id": "host-41", "os_type": "darwin", "always_on": True, "seen_at": START}
    ended = {"host_id": "host-41", "online_from": START, "online_until": half_past, "received_at": half_past}
    removed = {"host_id": "host-51", "update_id": GUILTY, "applied_at": half_past, "action": "removed"}
    late = {"crash_id": "late", "host_id": "host-52", "os_type": "linux", "occurred_at": NOW - timedelta(minutes=5)}
    newest = {"crash_id": "newest", "host_id": "host-10", "os_type": "windows", "occurred_at": NOW}
    for kind, row in (("host", server), ("session", ended), ("install", removed), ("crash", late)):
        append_rows(lake, kind, [row], batch_id=f"one more {kind}")
    append_rows(lake, "crash", [newest], batch_id="newest")
    return lake


@pytest.fixture
def asked(capsys: pytest.CaptureFixture[str], lake: Lake) -> Callable[..., Any]:
    """Ask a command for its document."""

    def ask(*arguments: str) -> Any:
        capsys.readouterr()
        assert cli.main([*arguments, "--lake", str(lake.root), "--json"]) == 0
        return json.loads(capsys.readouterr().out)

    return ask


def _number(page: Page, pattern: str) -> int:
    """The one number that a page says in these words."""
    (found,) = {match.replace(",", "") for match in re.findall(pattern, page.text)}
    return int(found)


def _sum(page: Page, title: str, pattern: str) -> int:
    """The sum over the rows of a table, of the number that each says in these words."""
    told = [re.search(pattern, " | ".join(row)) for row in page.rows(title)]
    assert all(told)
    return sum(int(each[1]) for each in told if each)


def _count(engine: Engine, query: str) -> int:
    (found,) = engine._con.sql(query).fetchall()[0]
    return int(found)


def _all_are(expected: int, told: Mapping[str, int]) -> None:
    assert {where: number for where, number in told.items() if number != expected} == {}, expected


@pytest.mark.slow
def test_crashes_and_hosts_that_crashed(lake: Lake, asked, overview, view):
    first, clusters = overview(lake.root, range="all"), view("clusters", lake.root, range="all")
    listed = asked("clusters")["clusters"]
    of_one = view("cluster", lake.root, id=listed[0]["cluster_id"], range="all")
    with Engine(lake) as engine:
        crashes = _count(engine, "SELECT count(DISTINCT crash_id) FROM lake_crash")
        hosts = _count(engine, "SELECT count(DISTINCT host_id) FROM lake_crash")
    assert crashes == 66
    _all_are(
        crashes,
        {
            "overview": _number(first, r"online ([\d,]+) crashes of any cause, all that is known"),
            "overview by version": _sum(first, "Crash rate by agent version", r"\| (\d+) \| \d+ of"),
            "overview by cluster": _sum(first, "Top crash clusters", r"\| \d+ \| (\d+) \| \D+ \| \d\d:"),
            "clusters": _sum(clusters, "Crash clusters", r"\| \d+ \| (\d+) \| \D+ \| \d\d:"),
            "clusters --json": sum(each["crashes"] for each in listed),
        },
    )
    _all_are(hosts, {"overview": _number(first, r"Hosts crashed ([\d,]+) of [\d,]+ online")})
    _all_are(listed[0]["hosts"], {"cluster": _number(of_one, r"Hosts ever (\d+)")})
    _all_are(listed[0]["crashes"], {"cluster": _number(of_one, r"Hosts ever \d+ (\d+) crashes in all")})


@pytest.mark.slow
def test_what_became_of_the_hosts_of_an_incident(lake: Lake, asked, overview, view):
    (incident,) = asked("incidents")["incidents"]
    tick(lake, [incident])
    first = overview(lake.root, range="all")
    page = view("incident", lake.root, id=incident["incident_id"], hosts="at_risk", range="all")
    update = view("updates", lake.root, id=GUILTY, range="all")
    row = view("updates", lake.root, range="all").table("Updates")[GUILTY]
    listed = asked("hosts", GUILTY)
    with Engine(lake) as engine:
        had_it = f"FROM lake_install WHERE update_id = '{GUILTY}' AND action = 'installed'"
        exposed = _count(engine, f"SELECT count(DISTINCT host_id) {had_it}")
        crashed = f"FROM lake_crash JOIN (SELECT * {had_it}) USING (host_id) WHERE occurred_at >= applied_at"
        hosts_crashed = _count(engine, f"SELECT count(DISTINCT host_id) {crashed}")
        crashes = _count(engine, f"SELECT count(DISTINCT crash_id) {crashed}")

    states = {state: incident["impact"][state] for state in STATES}
    assert all(states.values()), "a state without a host proves nothing"
    assert listed["counts"] == states
    for shown in (page, update):
        bars = [figure["data"][0]["x"] for figure in shown.figures if figure["data"][0]["type"] == "bar"]
        assert list(states.values()) in bars
        _all_are(states["at_risk"], {"card": _number(shown, r"At risk (\d+)")})
        _all_are(states["dark"], {"card": _number(shown, r"Dark (\d+) servers")})
    _all_are(states["at_risk"], {"list": _number(page, r"Hosts: at risk (\d+) hosts")})
    _all_are(
        exposed,
        {
            "incidents --json": incident["impact"]["exposed"],
            "hosts --json": sum(states.values()) - states["pending"],
            "overview": _number(first, r"Hosts crashed \d+ of (\d+) exposed"),
            "incident": _number(page, r"Hosts crashed \d+ of (\d+) exposed"),
            "incident by version": _sum(page, "Blast radius", r"\| (\d+) \| [\d.]+ %"),
            "update": _number(update, r"Hosts crashed \d+ of (\d+) exposed"),
            "updates": int(row[7]),
        },
    )
    _all_are(
        hosts_crashed,
        {
            "incidents --json": incident["evidence"]["hosts_crashed"],
            "hosts --json": sum(each["crashed_at"] is not None for each in listed["hosts"]),
            "overview": _number(first, r"Hosts crashed (\d+) of \d+ exposed"),
            "overview by update": int(first.table("Crash rate by update")[GUILTY][-1].split()[0]),
            "incident": _number(page, r"Hosts crashed (\d+) of \d+ exposed"),
            "incident by version": _sum(page, "Blast radius", r"\| (\d+) \| \d+ \| [\d.]+ %"),
            "update": _number(update, r"Hosts crashed (\d+) of \d+ exposed"),
        },
    )
    _all_are(
        crashes,
        {
            "incidents --json": incident["evidence"]["crashes"],
            "incident": _number(page, r"of them; (\d+) crashes"),
            "update": _number(update, r"exposed (\d+) crashes, all that is known"),
            "updates": int(row[8]),
        },
    )
