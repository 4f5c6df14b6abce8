"""What the views say, against the plain reading of the contract, and at the edges one by one."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings

from fleetcrash.store import Engine, Lake
from tests.dashboard.fleet import append_rows
from tests.fleetcrash.reference import FOREVER, Known
from tests.fleetcrash.worlds import HOSTS, LAST_MINUTE, UPDATES, answers, at, instants, lake_of, told_worlds


@pytest.mark.slow
@settings(max_examples=8, deadline=None, derandomize=True)
@given(told_worlds(), instants())
def test_the_views_say_what_the_contract_says(empty_lake, world, when):
    with lake_of(world, empty_lake) as lake, Engine(lake) as engine:
        for instant in when:
            engine.as_of = instant
            found, known = answers(engine), Known(world, instant)
            assert _exposures(found["exposures"]) == sorted(
                (host, update, *exposure)
                for host in HOSTS
                for update in UPDATES
                for exposure in known.exposures_with_known_end(host, update)
            )
            assert not _overlapping(found["exposures"])  # so that a crash counts once for an update
            assert _presence(found["presence"]) == sorted(
                (host, begins, ends or FOREVER) for host in HOSTS for begins, ends in known.online(host)
            )
            assert sorted((row["crash_id"], row["known_at"]) for row in found["crashes"]) == sorted(
                (row["crash_id"], row.get("received_at") or row["occurred_at"]) for row in known.crashes()
            )
            for host in HOSTS:
                for minute in range(0, LAST_MINUTE + 1, 5):
                    moment = at(minute)
                    assert _span_at(found["host_spans"], host, moment) == _attributes(known.attributes(host, moment))


def _overlapping(rows: list[dict[str, Any]]) -> list[tuple[str, str]]:
    """The hosts and updates with two exposures at one time."""
    ordered = sorted(
        (row["host_id"], row["update_id"], row["exposed_from"], row["exposed_until"] or FOREVER) for row in rows
    )
    return [one[:2] for one, other in pairwise(ordered) if one[:2] == other[:2] and one[3] > other[2]]


def _exposures(rows):
    return sorted(
        (row["host_id"], row["update_id"], row["exposed_from"], row["exposed_until"] or FOREVER, row["until_known"])
        for row in rows
        if row["host_id"] in HOSTS
    )


def _presence(rows):
    return sorted(
        (row["host_id"], row["online_from"], row["online_until"] or FOREVER) for row in rows if row["host_id"] in HOSTS
    )


_ATTRIBUTES = ("os_type", "os_build", "agent_version", "region", "always_on")


def _attributes(row):
    return None if row is None else {name: row[name] for name in _ATTRIBUTES}


def _span_at(rows, host, moment):
    covering = [
        row for row in rows if row["host_id"] == host and row["valid_from"] <= moment < (row["valid_until"] or FOREVER)
    ]
    assert len(covering) <= 1
    return _attributes(covering[0]) if covering else None


# -- the edges, one by one


def _view(lake: Lake, view: str, minute: float) -> list[dict[str, Any]]:
    with Engine(lake, as_of=at(minute)) as engine:
        return answers(engine)[view]


def _minutes(instant) -> float | None:
    return None if instant is None else (instant - at(0)).total_seconds() / 60


def _online(lake: Lake, minute: float) -> list[tuple[float | None, float | None]]:
    rows = _view(lake, "presence", minute)
    return sorted((_minutes(row["online_from"]), _minutes(row["online_until"])) for row in rows)


def _catalogue(lake: Lake, **channels: str) -> None:
    rows = [
        {"update_id": update, "kind": "content", "channel": channel, "released_at": at(0)}
        for update, channel in channels.items()
    ]
    append_rows(lake, "update", rows)


def _installs(lake: Lake, *rows: tuple[str, float, str]) -> None:
    append_rows(
        lake,
        "install",
        [{"host_id": "h", "update_id": u, "applied_at": at(minute), "action": action} for u, minute, action in rows],
    )


def _exposed(lake: Lake, minute: float = 1000) -> list[tuple[str, float | None, float | None]]:
    rows = _view(lake, "exposures", minute)
    return sorted((row["update_id"], _minutes(row["exposed_from"]), _minutes(row["exposed_until"])) for row in rows)


def test_exposure_ends_with_the_removal_of_the_update_and_no_other(lake):
    _catalogue(lake, u="1", other="2")
    _installs(lake, ("u", 10, "installed"), ("other", 11, "removed"), ("u", 30, "removed"))
    assert _exposed(lake) == [("u", 10, 30)]


def test_exposure_ends_with_a_later_install_of_the_same_kind_and_channel_and_no_other(lake):
    _catalogue(lake, u="1", next="1", elsewhere="2")
    append_rows(
        lake, "update", [{"update_id": "agent", "kind": "agent", "channel": "1", "released_at": at(0)}], batch_id="2"
    )
    _installs(
        lake,
        ("u", 10, "installed"),
        ("elsewhere", 15, "installed"),
        ("agent", 16, "installed"),
        ("next", 20, "installed"),
    )
    assert _exposed(lake) == [("agent", 16, None), ("elsewhere", 15, None), ("next", 20, None), ("u", 10, 20)]


def test_of_two_installs_at_one_instant_the_one_known_later_stays(lake):
    _catalogue(lake, u="1", v="1")
    rows = [("u", 40), ("v", 30)]
    append_rows(
        lake,
        "install",
        [{"host_id": "h", "update_id": u, "applied_at": at(10), "received_at": at(known)} for u, known in rows],
    )
    assert _exposed(lake, 35) == [("v", 10, None)]
    assert _exposed(lake, 45) == [("u", 10, None)]


@pytest.mark.slow
def test_an_update_that_is_withdrawn_but_stays_on_the_host_still_exposes_it(lake):
    row = {"update_id": "u", "kind": "content", "channel": "1", "released_at": at(0), "reverted_at": at(20)}
    append_rows(lake, "update", [row])
    _installs(lake, ("u", 10, "installed"))
    assert _exposed(lake) == [("u", 10, None)]
    assert [row["reverted_at"] for row in _view(lake, "updates", 19)] == [None]
    assert [_minutes(row["reverted_at"]) for row in _view(lake, "updates", 20)] == [20]


def test_updates_that_the_catalogue_lacks_do_not_replace_one_another(lake):
    _installs(lake, ("u", 10, "installed"), ("v", 20, "installed"), ("u", 30, "installed"))
    assert _exposed(lake) == [("u", 10, 30), ("u", 30, None), ("v", 20, None)]


@pytest.mark.slow
def test_when_we_knew_of_an_end_is_when_its_own_record_was_known(lake):
    """Two removals, and the one that ends the exposure is heard of last."""
    _installs(lake, ("u", 10, "installed"))
    rows = [{"applied_at": at(20), "received_at": at(90)}, {"applied_at": at(30), "received_at": at(40)}]
    told = [{"host_id": "h", "update_id": "u", "action": "removed", **row} for row in rows]
    append_rows(lake, "install", told, batch_id="removals")
    for minute, until, known in ((39, None, None), (40, 30, 40), (90, 20, 90)):
        (row,) = _view(lake, "exposures", minute)
        assert (_minutes(row["exposed_until"]), _minutes(row["until_known"])) == (until, known)


def test_an_install_by_a_clock_that_is_ahead_is_placed_when_it_was_received(lake):
    row = {"host_id": "h", "update_id": "u", "applied_at": at(500), "received_at": at(10)}
    append_rows(lake, "install", [row])
    assert _exposed(lake, 9) == []
    assert _exposed(lake, 10) == [("u", 10, None)]


@pytest.mark.slow
def test_the_end_of_a_session_is_known_ten_minutes_after_it(lake):
    rows = [{"host_id": "h", "online_from": at(0)}, {"host_id": "h", "online_from": at(0), "online_until": at(60)}]
    append_rows(lake, "session", rows)
    almost = 70 - 1 / 60
    assert _online(lake, 0) == _online(lake, 61) == _online(lake, almost) == [(0, None)]
    assert _online(lake, 70) == [(0, 60)]


@pytest.mark.slow
def test_a_session_that_turns_out_to_go_on_is_online_again(lake):
    """Of the rows of a session the newest known counts, also where it takes an end back."""
    rows = [{"online_until": at(60), "received_at": at(60)}, {"online_until": None, "received_at": at(100)}]
    append_rows(lake, "session", [{"host_id": "h", "online_from": at(0), **row} for row in rows])  # type: ignore[dict-item]
    assert _online(lake, 99) == [(0, 60)]
    assert _online(lake, 100) == [(0, None)]


@pytest.mark.slow
def test_what_is_told_again_is_known_no_later_for_it(lake):
    """A resend, or word of a withdrawal, must not change what was known at a moment in the past."""
    session = {"host_id": "h", "online_from": at(0), "online_until": at(60)}
    append_rows(lake, "session", [{**session, "received_at": at(80)}, {**session, "received_at": at(200)}])
    update = {"update_id": "u", "kind": "content", "released_at": at(10)}
    append_rows(
        lake, "update", [{**update, "received_at": at(11)}, {**update, "reverted_at": at(90), "received_at": at(91)}]
    )
    for now in (100, 300):
        (presence,), (known,) = _view(lake, "presence", now), _view(lake, "updates", now)
        assert (presence["since_known"], presence["gone_known"]) == (at(80), at(80))
        assert (known["known_at"], known["reverted_at"]) == (at(11), at(90))


def test_a_gap_of_two_and_a_half_intervals_ends_a_session_at_the_last_beat(lake):
    longest = 750 / 60
    beats = [0, 5, 10, 10 + longest, 15 + longest, 15 + 2 * longest + 1 / 60]
    append_rows(lake, "heartbeat", [{"host_id": "h", "at": at(beat)} for beat in beats])
    ended, again = at(beats[4]), at(beats[5])
    rows = _view(lake, "presence", 60)
    assert [(row["online_from"], row["online_until"]) for row in rows] == [(at(0), ended), (again, again)]
    assert rows[0]["gone_known"] == ended + timedelta(seconds=750)
    with Engine(lake, as_of=ended + timedelta(seconds=749)) as engine:
        assert [row["online_until"] for row in answers(engine)["presence"]] == [None]


def test_an_agent_install_changes_the_agent_version_and_a_newer_row_of_the_inventory_wins(lake):
    agent = {"update_id": "agent-8", "kind": "agent", "version": "8.0", "released_at": at(0)}
    append_rows(lake, "update", [agent])
    _installs(lake, ("agent-8", 20, "installed"))
    rows = [("7.11", 10), ("7.16", 40)]
    append_rows(
        lake,
        "host",
        [{"host_id": "h", "os_type": "windows", "agent_version": v, "seen_at": at(minute)} for v, minute in rows],
    )
    spans = [
        (_minutes(row["valid_from"]), _minutes(row["valid_until"]), row["agent_version"])
        for row in _view(lake, "host_spans", 1000)
    ]
    assert sorted(spans, key=str) == [(10, 20, "7.11"), (20, 40, "8.0"), (40, None, "7.16")]


def test_an_agent_installed_at_the_instant_of_a_row_of_the_inventory_is_what_the_host_runs(lake):
    """The row may have been written before the install or after it; the install is what happened."""
    agent = {"update_id": "agent-8", "kind": "agent", "version": "8.0", "released_at": at(0)}
    append_rows(lake, "update", [agent])
    _installs(lake, ("agent-8", 10, "installed"))
    append_rows(lake, "host", [{"host_id": "h", "os_type": "linux", "agent_version": "7", "seen_at": at(10)}])
    assert [row["agent_version"] for row in _view(lake, "host_spans", 1000)] == ["8.0"]


def test_a_version_that_is_not_written_as_the_hosts_own_tells_nothing_of_it(lake):
    """Some catalogues number updates by themselves; v44 is no agent that any host runs."""
    updates = [
        {"update_id": name, "kind": kind, "version": version, "released_at": at(0)}
        for name, kind, version in (("a", "agent", "v44"), ("b", "agent", "7.16.2"), ("p", "os_patch", "KB22"))
    ]
    append_rows(lake, "update", updates)
    append_rows(
        lake, "host", [{"host_id": "h", "os_type": "windows", "agent_version": "7.11.18110", "os_build": "22631.1"}]
    )
    _installs(lake, ("a", 10, "installed"), ("p", 15, "installed"), ("b", 20, "installed"))
    spans = sorted(_view(lake, "host_spans", 1000), key=lambda row: row["valid_from"])
    told = [(row["agent_version"], row["os_build"]) for row in spans]
    assert told == [("7.11.18110", "22631.1")] * 3 + [("7.16.2", "22631.1")]


@pytest.mark.slow
def test_of_the_rows_of_an_update_the_newest_known_counts_and_what_follows_from_it(lake):
    _installs(lake, ("u", 10, "installed"), ("v", 20, "installed"))
    for batch, (channel, known) in enumerate([("1", 5), ("2", 60)]):
        row = {"update_id": "u", "kind": "content", "channel": channel, "released_at": at(0), "received_at": at(known)}
        append_rows(lake, "update", [row], batch_id=str(batch))
    append_rows(lake, "update", [{"update_id": "v", "kind": "content", "channel": "1", "released_at": at(0)}])
    assert [row["channel"] for row in _view(lake, "updates", 59) if row["update_id"] == "u"] == ["1"]
    assert [row["channel"] for row in _view(lake, "updates", 60) if row["update_id"] == "u"] == ["2"]
    assert _exposed(lake, 59) == [("u", 10, 20), ("v", 20, None)]
    assert _exposed(lake, 60) == [("u", 10, None), ("v", 20, None)]


def test_nothing_is_known_of_a_host_before_its_first_row(lake):
    agent = {"update_id": "agent-8", "kind": "agent", "version": "8.0", "released_at": at(0)}
    append_rows(lake, "update", [agent])
    _installs(lake, ("agent-8", 5, "installed"))
    append_rows(lake, "host", [{"host_id": "h", "os_type": "linux", "agent_version": "7", "seen_at": at(10)}])
    (span,) = _view(lake, "host_spans", 1000)
    assert (_minutes(span["valid_from"]), span["valid_until"], span["agent_version"]) == (10, None, "7")


def test_a_removed_agent_leaves_the_version_to_the_next_row_of_the_inventory(lake):
    """What a host runs after a removal nobody told; the last thing told stands."""
    agent = {"update_id": "agent-8", "kind": "agent", "version": "8.0", "released_at": at(0)}
    append_rows(lake, "update", [agent])
    append_rows(lake, "host", [{"host_id": "h", "os_type": "linux", "agent_version": "7"}])
    _installs(lake, ("agent-8", 5, "installed"), ("agent-8", 15, "removed"))
    assert [row["agent_version"] for row in _view(lake, "host_spans", 1000) if row["valid_until"] is None] == ["8.0"]


@pytest.mark.slow
@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0)])
def test_of_two_reports_of_a_crash_the_earlier_known_counts_then_the_lesser_by_its_json(lake, order):
    same = {"crash_id": "c", "host_id": "h", "os_type": "linux", "occurred_at": at(1)}
    reports = [
        {**same, "code": "later", "received_at": at(9)},
        {**same, "code": "b", "received_at": at(5)},
        {**same, "code": "a", "received_at": at(5)},
    ]
    for number in order:
        append_rows(lake, "crash", [reports[number]], batch_id=str(number))
    assert [row["code"] for row in _view(lake, "crashes", 10)] == ["a"]
    assert _view(lake, "crashes", 4) == []
