"""Host states: the query against the plain reading of the contract, the sums, and each state by itself."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fleetcrash.attribution.conditions.grammar import Condition, matches
from fleetcrash.attribution.reporting.impact import State, harm_of, impact_of
from fleetcrash.store import Engine, Lake
from tests.dashboard.fleet import append_rows
from tests.fleetcrash.reference import Known
from tests.fleetcrash.worlds import UPDATES, World, at, instants, lake_of, told_worlds


def states(engine: Engine, update: str, condition: Condition | None = None) -> dict[str, str]:
    """The state of each host that the update concerns."""
    return {row["host_id"]: row["state"] for row in impact_of(engine, update, condition).hosts.to_pylist()}


def _expected(world: World, known: Known, update: str) -> dict[str, str]:
    found = {host: state for host in known.everyone() if (state := known.state(host, update)) is not None}
    return {**found, **dict.fromkeys(known.pending(update), "pending")}


@settings(max_examples=6, deadline=None, derandomize=True)
@given(told_worlds(), instants(least=30))
def test_states_and_the_counts_behind_them_are_those_that_the_contract_says(empty_lake, world, when):
    with lake_of(world, empty_lake) as lake, Engine(lake) as engine:
        for instant in when:
            engine.as_of = instant
            known = Known(world, instant)
            for update in ("a1", "a2"):
                impact = impact_of(engine, update, None)
                found = {row["host_id"]: row["state"] for row in impact.hosts.to_pylist()}
                assert found == _expected(world, known, update), (update, instant)
                hits = [known.hits(host, update) for host in known.everyone() if known.exposures(host, update)]
                harm = harm_of(engine, update, None)
                assert len(harm.hosts) == impact.exposed
                assert harm.crashes == sum(len(crashes) for crashes, _, _ in hits)
                assert harm.hosts_crashed == sum(bool(crashes) for crashes, _, _ in hits)
                assert harm.hosts_dark == sum(bool(silences) for _, silences, _ in hits)


_CONDITIONS = st.dictionaries(
    st.sampled_from(["os_type", "agent_version", "region", "os_build", "with_update"]), st.none(), max_size=2
).flatmap(
    lambda keys: st.fixed_dictionaries(
        {
            key: st.sampled_from(
                {
                    "os_type": ["windows", "linux"],
                    "agent_version": [">=7.11", "<7.16", "7.11.*", ">=7.9 <7.11.1", "7.9"],
                    "region": ["eu", "us"],
                    "os_build": ["22631.*", ">=22631.5"],
                    "with_update": list(UPDATES),
                }[key]
            )
            for key in keys
        }
    )
)


@pytest.mark.slow
@settings(max_examples=5, deadline=None, derandomize=True)
@given(told_worlds(), instants(least=30), st.lists(_CONDITIONS, min_size=2, max_size=2))
def test_a_condition_leaves_the_hosts_that_match_it_and_the_states_sum_to_exposed(empty_lake, world, when, conditions):
    with lake_of(world, empty_lake) as lake, Engine(lake) as engine:
        engine.as_of = instant = when[0]
        known = Known(world, instant)
        everyone = states(engine, "a1")
        assert states(engine, "a1", {}) == everyone
        for condition in conditions:
            impact = impact_of(engine, "a1", condition)
            expected = {host: state for host, state in everyone.items() if _matches(known, host, condition)}
            assert {row["host_id"]: row["state"] for row in impact.hosts.to_pylist()} == expected
            counts = impact.counts()
            assert counts["exposed"] == sum(state != "pending" for state in expected.values())
            assert counts["exposed"] == sum(counts[state] for state in State if state != State.PENDING)
            assert counts["pending"] == sum(state == "pending" for state in expected.values())


def _matches(known: Known, host: str, condition: Condition) -> bool:
    attributes: dict[str, Any] = dict(known.attributes(host, known.instant) or {})
    plain = dict(condition)
    update = plain.pop("with_update", None)
    if update is not None and not any(known.instant < ends for _, ends in known.exposures(host, update)):
        return False
    return matches(plain, attributes)


# -- each state by itself: one server, installed at minute 10

GUILTY = "u"


def _server(lake: Lake, **changes: Any) -> None:
    append_rows(lake, "host", [{"host_id": "h", "os_type": "windows", "always_on": True, **changes}])
    append_rows(lake, "update", [{"update_id": GUILTY, "kind": "content", "released_at": at(0)}])
    # Another host has something else from the start, so that exposure is told here at every minute and not assumed.
    installs = [("h", GUILTY, 10), ("another", "something else", 0)]
    append_rows(
        lake, "install", [{"host_id": h, "update_id": u, "applied_at": at(minute)} for h, u, minute in installs]
    )


def _sessions(lake: Lake, *spans: tuple[float, float | None], batch_id: str = "sessions") -> None:
    rows = [
        {"host_id": "h", "online_from": at(begins), "online_until": None if ends is None else at(ends)}
        for begins, ends in spans
    ]
    append_rows(lake, "session", rows, batch_id=batch_id)


def _crash(lake: Lake, minute: float, **changes: Any) -> None:
    row = {"crash_id": f"c{minute}", "host_id": "h", "os_type": "windows", "occurred_at": at(minute), **changes}
    append_rows(lake, "crash", [row], batch_id=f"crash {minute}")


def _state(lake: Lake, minute: float) -> str | None:
    return _states(lake, minute)[0]


def _states(lake: Lake, *minutes: float) -> list[str | None]:
    """What the server is in at each of the minutes."""
    found = []
    with Engine(lake) as engine:
        for minute in minutes:
            engine.as_of = at(minute)
            found.append(states(engine, GUILTY).get("h"))
    return found


def test_a_host_that_is_exposed_and_well_is_at_risk(lake):
    _server(lake)
    _sessions(lake, (0, None))
    # Not exposed at first, and nobody else is: no OS to be pending with
    assert _states(lake, 9, 10, 500) == [None, "at_risk", "at_risk"]


def test_a_crash_counts_from_the_minute_of_the_install_and_not_before(lake):
    _server(lake)
    _sessions(lake, (0, None))
    _crash(lake, 9)
    assert _state(lake, 15) == "at_risk"
    _crash(lake, 10)
    assert _state(lake, 15) == "crashed"


def test_a_crash_after_the_removal_is_no_crash_while_exposed(lake):
    _server(lake)
    _sessions(lake, (0, None))
    append_rows(
        lake,
        "install",
        [{"host_id": "h", "update_id": GUILTY, "applied_at": at(20), "action": "removed"}],
        batch_id="removal",
    )
    _crash(lake, 20)
    assert _state(lake, 25) == "cleared"


def test_a_host_that_has_been_online_for_half_an_hour_since_is_recovered(lake):
    _server(lake)
    _sessions(lake, (0, 20), (22, None))
    _crash(lake, 20)
    assert _states(lake, 51.9, 52) == ["crashed", "recovered"]


def test_half_an_hour_online_must_be_one_stretch_and_after_the_last_crash(lake):
    _server(lake)
    _sessions(lake, (0, 20), (21, 40), (41, 60), (61, None))
    for minute in (20, 40, 60):
        _crash(lake, minute)
    assert _states(lake, 90.9, 91) == ["crashed", "recovered"]


def test_a_server_is_dark_ten_minutes_after_its_session_ended(lake):
    _server(lake)
    _sessions(lake, (0, 20))
    assert _states(lake, 29.9, 30, 5000) == ["at_risk", "dark", "dark"]


def test_a_desktop_that_is_switched_off_is_at_risk_and_not_dark(lake):
    _server(lake, always_on=False)
    _sessions(lake, (0, 20))
    assert _state(lake, 100) == "at_risk"


def test_a_server_that_went_silent_before_the_install_is_not_dark_because_of_it(lake):
    _server(lake)
    _sessions(lake, (0, 9))
    assert _state(lake, 100) == "at_risk"


def test_a_server_that_boots_within_ten_minutes_has_not_gone_dark(lake):
    """No T would ever have seen it dark: an end is not looked at for ten minutes. So it is not recovered either."""
    _server(lake)
    _sessions(lake, (0, 20), (30, None))
    assert set(_states(lake, 25, 30, 35, 59, 60, 61, 300)) == {"at_risk"}


def test_a_server_that_is_back_after_longer_is_recovered_once_it_stays(lake):
    _server(lake)
    _sessions(lake, (0, 20), (31, None))
    assert _states(lake, 30, 31, 61) == ["dark", "at_risk", "recovered"]


def test_dark_comes_before_crashed(lake):
    _server(lake)
    _sessions(lake, (0, 20))
    _crash(lake, 20)
    assert _states(lake, 21, 30) == ["crashed", "dark"]


def test_a_crash_noticed_at_the_next_boot_is_judged_at_the_end_of_the_session_before(lake):
    """The host went down before the install took effect, and was told of after it."""
    _server(lake)
    _sessions(lake, (0, 9), (25, None))
    _crash(lake, 26, time_quality="reboot")
    assert _state(lake, 30) == "at_risk"


@pytest.mark.parametrize("booted", [21, 22])
def test_while_the_end_of_that_session_is_not_known_the_crash_stands_where_it_was_told(lake, booted):
    """Not at the end of a still earlier session, when the host had not got the update."""
    _server(lake)
    _sessions(lake, (0, 5), (6, 20), (21, None))
    _crash(lake, booted, time_quality="reboot")
    assert set(_states(lake, 22, 25, 29.9, 30, 50)) == {"crashed"}


def test_a_host_that_lost_the_update_unharmed_is_cleared_and_one_that_was_hit_is_not(lake):
    _server(lake)
    _sessions(lake, (0, None))
    removal = {"host_id": "h", "update_id": GUILTY, "applied_at": at(40), "action": "removed"}
    append_rows(lake, "install", [removal], batch_id="removal")
    assert _states(lake, 39, 40) == ["at_risk", "cleared"]
    _crash(lake, 35)
    assert _state(lake, 40) == "crashed"


def test_a_server_that_went_dark_and_lost_the_update_is_at_risk_until_it_has_stayed_up(lake):
    """It was hit, so it is not cleared; it is back, so it is not dark; not for long, so it is not recovered."""
    _server(lake)
    _sessions(lake, (0, 20), (31, None))
    removal = {"host_id": "h", "update_id": GUILTY, "applied_at": at(40), "action": "removed"}
    append_rows(lake, "install", [removal], batch_id="removal")
    assert _states(lake, 60, 61) == ["at_risk", "recovered"]


def test_hosts_that_may_yet_get_it_are_pending_until_it_is_withdrawn(lake):
    _server(lake)
    others = [{"host_id": "windows", "os_type": "windows"}, {"host_id": "linux", "os_type": "linux"}]
    append_rows(lake, "host", others, batch_id="others")
    withdrawn = {
        "update_id": GUILTY,
        "kind": "content",
        "released_at": at(0),
        "reverted_at": at(50),
        "received_at": at(50),
    }
    append_rows(lake, "update", [withdrawn], batch_id="withdrawn")
    with Engine(lake, as_of=at(49)) as engine:
        assert states(engine, GUILTY) == {"h": "at_risk", "windows": "pending"}
        engine.as_of = at(50)
        assert states(engine, GUILTY) == {"h": "at_risk"}


def test_a_host_that_the_inventory_lacks_is_judged_and_matches_only_what_asks_for_nothing(lake):
    append_rows(lake, "install", [{"host_id": "h", "update_id": GUILTY, "applied_at": at(10)}])
    append_rows(lake, "session", [{"host_id": "h", "online_from": at(0)}])
    with Engine(lake, as_of=at(20)) as engine:
        assert states(engine, GUILTY, None) == states(engine, GUILTY, {}) == {"h": "at_risk"}
        assert states(engine, GUILTY, {"os_type": "windows"}) == {}


def test_attributes_are_those_of_the_instant(lake):
    _server(lake, agent_version="7.9", seen_at=at(0))
    newer = {"host_id": "h", "os_type": "windows", "always_on": True, "agent_version": "7.11", "seen_at": at(30)}
    append_rows(lake, "host", [newer], batch_id="newer")
    with Engine(lake, as_of=at(20)) as engine:
        assert states(engine, GUILTY, {"agent_version": ">=7.11"}) == {}
        engine.as_of = at(30)
        assert states(engine, GUILTY, {"agent_version": ">=7.11"}) == {"h": "at_risk"}


@pytest.mark.variants
@pytest.mark.parametrize(("minute", "matches_it"), [(12, False), (20, True), (29, True), (30, False)])
def test_with_update_asks_who_has_the_other_update_now(lake, minute, matches_it):
    _server(lake)
    rows = [{"applied_at": at(15), "action": "installed"}, {"applied_at": at(30), "action": "removed"}]
    append_rows(lake, "install", [{"host_id": "h", "update_id": "driver", **row} for row in rows], batch_id="driver")
    with Engine(lake, as_of=at(minute)) as engine:
        assert (states(engine, GUILTY, {"with_update": "driver"}) == {"h": "at_risk"}) == matches_it
