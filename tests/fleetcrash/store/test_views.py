"""What the views say, against the plain reading of the contract, and at the edges one by one."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise
from random import Random
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


def _sessions(lake: Lake, *rows: tuple[float, float | None], host: str = "h", received: float | None = None) -> None:
    told = [
        {
            "host_id": host,
            "online_from": at(begins),
            "online_until": None if ends is None else at(ends),
            "received_at": None if received is None else at(received),
        }
        for begins, ends in rows
    ]
    append_rows(lake, "session", told, batch_id=f"sessions of {host}")


def _beats(lake: Lake, begins: int, ends: int) -> None:
    append_rows(lake, "heartbeat", [{"host_id": "h", "at": at(minute)} for minute in range(begins, ends + 1, 5)])


def test_presence_that_is_told_in_both_forms_counts_once(lake):
    _sessions(lake, (0, 240))
    _sessions(lake, (10, 20), host="other")
    _beats(lake, 5, 235)
    assert _online(lake, 300) == [(0, 240), (10, 20)]


def test_sessions_that_overlap_are_one_and_those_that_touch_are_not(lake):
    _sessions(lake, (0, 100), (50, 150), (60, 70), (150, 200), (210, 220))
    assert _online(lake, 300) == [(0, 150), (150, 200), (210, 220)]


def test_a_session_whose_end_is_not_known_yet_does_not_overlap_the_next(lake):
    """It may have ended before that began, which is told late."""
    _sessions(lake, (0, None), (60, None))
    assert _online(lake, 90) == [(0, None), (60, None)]


def test_silence_ends_a_session_of_which_no_end_is_told(lake):
    _sessions(lake, (0, None))
    _beats(lake, 5, 60)
    assert _online(lake, 72) == [(0, None)]
    (row,) = _view(lake, "presence", 73)
    assert (row["online_until"], row["gone_known"]) == (at(60), at(72.5))


def test_beats_count_where_no_session_is(lake):
    _sessions(lake, (60, 90), (93, 120))
    _beats(lake, 0, 240)
    assert _online(lake, 300) == [(0, 60), (60, 90), (93, 120), (120, 240)]


def test_a_session_that_is_told_long_after_its_beats_is_known_from_when_they_were(lake):
    _sessions(lake, (0, 240), received=600)
    _beats(lake, 5, 240)
    (row,) = _view(lake, "presence", 700)
    known = (_minutes(row["since_known"]), _minutes(row["gone_known"]))
    assert (_minutes(row["online_from"]), _minutes(row["online_until"]), *known) == (0, 240, 5, 252.5)


def test_beats_that_go_on_behind_a_session_that_is_told_later_are_known_as_they_were(lake):
    _sessions(lake, (0, 120), received=600)
    _beats(lake, 0, 300)
    rows = sorted(_view(lake, "presence", 700), key=lambda row: row["online_from"])
    known = [(_minutes(row["since_known"]), _minutes(row["gone_known"])) for row in rows]
    assert _online(lake, 700) == [(0, 120), (120, 300)]
    assert known == [(0, 132.5), (0, 312.5)]


def test_however_presence_is_told_no_time_counts_twice_and_little_is_lost(lake):
    """All that sessions tell counts, and what beats tell, but up to 750 seconds between sessions."""
    random = Random(1)
    sessions: dict[str, list[tuple[int, int]]] = {}
    beats: dict[str, list[int]] = {}
    for number in range(300):
        host = f"h{number:03}"
        starts = random.sample(range(240), number % 5)
        sessions[host] = [(start, start + random.choice((5, 30, 60))) for start in starts]
        runs = random.sample(range(240), random.choice((0, 1, 3)))
        beats[host] = sorted({minute for start in runs for minute in range(start, start + 60, 5)})
    stated = [
        {"host_id": host, "online_from": at(begins), "online_until": at(ends)}
        for host, spans in sessions.items()
        for begins, ends in spans
    ]
    append_rows(lake, "session", stated)
    append_rows(lake, "heartbeat", [{"host_id": host, "at": at(beat)} for host in beats for beat in beats[host]])
    counted: dict[str, list[int]] = {host: [] for host in sessions}
    for row in _view(lake, "presence", 1000):
        begins, ends = (int((row[name] - at(0)).total_seconds() / 60) for name in ("online_from", "online_until"))
        counted[row["host_id"]] += range(begins, ends)
    for host, minutes in counted.items():
        assert len(minutes) == len(set(minutes)), host
        in_sessions = {minute for begins, ends in sessions[host] for minute in range(begins, ends)}
        in_beats = {minute for one, next_ in pairwise(beats[host]) if next_ - one <= 12 for minute in range(one, next_)}
        assert in_sessions <= set(minutes) <= in_sessions | in_beats, host
        lost = sorted(in_beats - set(minutes))
        assert all(later - earlier > 12 for earlier, later in zip(lost, lost[12:], strict=False)), host


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


MACS = [f"mac {number}" for number in range(5)]


def _mixed(lake: Lake, macs: list[str] = MACS) -> None:
    """A Windows host that tells its presence, and Macs that only tell what they install."""
    hosts = [{"host_id": "pc", "os_type": "windows"}, *({"host_id": mac, "os_type": "darwin"} for mac in MACS)]
    append_rows(lake, "host", hosts)
    _sessions(lake, (0, 60), host="pc")
    _catalogue(lake, u="1")
    append_rows(lake, "install", [{"host_id": name, "update_id": "u", "applied_at": at(10)} for name in ("pc", *macs)])


def test_a_system_of_which_no_host_tells_presence_counts_as_online_when_seen(lake):
    _mixed(lake)
    found = [(row["host_id"], _minutes(row["online_from"]), row["assumed"]) for row in _view(lake, "presence", 100)]
    assert sorted(found) == [*((mac, 10, True) for mac in MACS), ("pc", 0, False)]


def test_a_system_of_which_a_host_tells_presence_is_offline_where_none_is_told(lake):
    _mixed(lake)
    append_rows(lake, "host", [{"host_id": "other mac", "os_type": "darwin"}], batch_id="more")
    _sessions(lake, (20, None), host="other mac")
    with Engine(lake, as_of=at(19)) as engine:  # back and forth: what is heard of later is not known before
        for minute, unheard, there in ((19, ("darwin",), ["pc", *MACS]), (20, (), ["other mac", "pc"])) * 2:
            engine.as_of = at(minute)
            assert engine.unheard_systems == unheard
            assert sorted(row["host_id"] for row in answers(engine)["presence"]) == sorted(there)


def test_a_system_of_which_only_a_few_hosts_do_anything_is_not_taken_to_be_online(lake):
    _mixed(lake, MACS[:4])
    assert [row["host_id"] for row in _view(lake, "presence", 100)] == ["pc"]


def test_where_nobody_tells_presence_no_system_is_told_from_another(lake):
    append_rows(lake, "host", [{"host_id": mac, "os_type": "darwin"} for mac in MACS])
    append_rows(lake, "install", [{"host_id": mac, "update_id": "u", "applied_at": at(10)} for mac in MACS])
    with Engine(lake, as_of=at(20)) as engine:
        assert engine.unheard_systems == ()
        assert sorted(row["host_id"] for row in answers(engine)["presence"] if row["assumed"]) == MACS
