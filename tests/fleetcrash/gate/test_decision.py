"""The whole gate on small lakes: the document, what the detector adds, and the book of overrides."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from fleetcrash.attribution.hosts import list_hosts
from fleetcrash.errors import BadArgument, LakeError, UnknownName
from fleetcrash.gate import decision
from fleetcrash.gate.decision import accusation, disturbed, explanation, gate, others_named, overrule
from fleetcrash.gate.overrides import BOOK, check_reason
from fleetcrash.gate.reading import Update, read_update
from fleetcrash.gate.settings import Settings
from fleetcrash.store import Engine, Lake
from fleetcrash.store.doctor import examine
from fleetcrash.store.housekeeping import compact
from fleetcrash.times import time_text
from tests.dashboard import fleet
from tests.fleetcrash.gate.rollouts import RELEASED, START, crash, host, install, lake_with, quiet_lake, ring
from tests.fleetcrash.short import short_outage

KEYS = [
    "schema", "update_id", "decision", "as_of", "reason", "upper_bound", "max_excess", "false_halt_rate", "rings",
    "config_hash",
]  # fmt: skip
RING_KEYS = ["ring", "decision", "exposed", "host_hours", "crashed", "dark", "expected", "upper_bound"]


def ask(lake: Lake, update_id: str = "u1", *, minutes: float = 130, **settings: Any) -> dict[str, Any]:
    return gate(lake, update_id, as_of=RELEASED + timedelta(minutes=minutes), settings=Settings(**settings))


@pytest.fixture(scope="module")
def quiet(tmp_path_factory) -> Lake:
    """Forty canaries that nothing happens to, among a hundred hosts; nobody writes to it."""
    return quiet_lake(tmp_path_factory.mktemp("quiet") / "lake")


@pytest.fixture(scope="module")
def outage(tmp_path_factory) -> Lake:
    """Sixty hosts, and the update that crashes some; nobody writes to it."""
    return short_outage(tmp_path_factory.mktemp("outage") / "lake")


def test_each_ring_says_all_that_it_lacks_and_whether_it_could_ever_have_it(quiet):
    found = ask(quiet, minutes=30, max_excess=0.04)
    (canary,) = found["rings"]
    assert canary["reasons"][0].startswith("ring canary: soak has ")
    assert canary["reasons"][1].endswith("but the ring has no more: it takes a larger ring, or a larger --max-excess")
    assert ask(quiet, max_excess=0.1)["rings"][0]["reasons"] == []


def test_the_document_has_the_contracts_keys_and_is_plain_json(quiet):
    found = ask(quiet, max_excess=0.1)
    assert list(found)[: len(KEYS)] == KEYS
    assert list(found["rings"][0])[: len(RING_KEYS)] == RING_KEYS
    assert (found["decision"], found["schema"], found["as_of"]) == (
        "go",
        1,
        time_text(RELEASED + timedelta(minutes=130)),
    )
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert ask(quiet, max_excess=0.1) == found, "asked again, it says the same"


@pytest.mark.slow
def test_hosts_that_are_too_few_for_the_share_hold(quiet):
    found = ask(quiet)
    assert found["decision"] == "hold"
    assert "more exposed hosts without a hit would do" in found["reason"]
    assert found["config_hash"] != ask(quiet, max_excess=0.1)["config_hash"]


def test_before_the_release_the_update_is_not_known_and_nobody_has_another(quiet):
    with pytest.raises(UnknownName, match="No update 'u1' is known as of 2026-03-04T11:50:00Z"):
        ask(quiet, minutes=-10)
    with pytest.raises(UnknownName, match="No update 'nobody' is known"):
        ask(quiet, "nobody")


def test_rings_and_incidents_of_one_decision_rest_on_the_same_records(tmp_path, monkeypatch):
    """A batch that is committed amid a decision, though of records known by its instant, is for the next one."""
    installs = [install(number, RELEASED + timedelta(seconds=number)) for number in range(12)]
    hosts = [host(number, "canary") for number in range(20)]
    lake = lake_with(tmp_path / "lake", host=hosts, install=installs, crash=[crash(19, START)])
    crashes = [crash(number, RELEASED + timedelta(minutes=5, seconds=number)) for number in range(12)]

    def read_and_meet_a_writer(engine: Engine, update_id: str) -> Update | None:
        found = read_update(engine, update_id)
        fleet.append_rows(lake, "crash", crashes, batch_id="meanwhile")
        return found

    monkeypatch.setattr(decision, "read_update", read_and_meet_a_writer)
    found = ask(lake, minutes=15)
    assert (found["rings"][0]["crashed"], found["decision"]) == (0, "hold")


def test_of_an_unknown_update_the_newest_known_ones_are_named_the_newest_first(tmp_path):
    """By their release, whichever was known first; the gate and the list of hosts say the same."""
    updates = [
        {"update_id": f"u{day}", "kind": "content", "released_at": RELEASED + timedelta(days=day), "received_at": at}
        for day, at in ((1, RELEASED + timedelta(days=9)), (2, RELEASED), (3, RELEASED), (4, RELEASED))
    ]
    lake = lake_with(tmp_path / "lake", update=updates, host=[host(1, "canary")], crash=[crash(1, START)])
    as_of = RELEASED + timedelta(days=9)
    with pytest.raises(UnknownName, match=r"4 are; the newest: u4, u3, u2\. ") as of_gate:
        gate(lake, "nobody", as_of=as_of, settings=Settings())
    with pytest.raises(UnknownName) as of_hosts:
        list_hosts(lake, "nobody", as_of=as_of, condition=None, state=None)
    assert str(of_gate.value) == str(of_hosts.value)


def test_before_any_crash_was_told_it_holds_and_says_that_the_feed_may_be_missing(tmp_path):
    """One crash of any host ends that, from when it is known: a test, or one of last week."""
    hosts = [host(number, "canary" if number < 40 else "broad") for number in range(100)]
    installs = [install(number, RELEASED) for number in range(40)]
    heard = {"host_id": "h99", "online_from": RELEASED + timedelta(minutes=125)}
    sessions = [*({"host_id": f"h{number}", "online_from": START} for number in range(100)), heard]
    old = crash(90, START - timedelta(days=7), received_at=RELEASED + timedelta(minutes=140))
    lake = lake_with(tmp_path / "lake", host=hosts, session=sessions, install=installs, crash=[old])
    found = ask(lake, max_excess=0.1)
    assert (found["decision"], found["rings"][0]["decision"]) == ("hold", "go")
    assert found["reason"].startswith("No crash of any host is on record, so crashes may not be told of at all: one of")
    assert ask(lake, minutes=141, max_excess=0.1)["decision"] == "go"


def test_what_the_detector_names_is_halted_with_its_words(outage):
    found = gate(outage, fleet.GUILTY, as_of=None, settings=Settings())
    assert found["decision"] == "halt"
    assert found["reason"].startswith("Named by inc-")
    assert found["rings"][0]["crashed"] > 0


@pytest.mark.slow
def test_what_is_innocent_beside_it_is_not_halted(outage):
    found = gate(outage, fleet.INNOCENT, as_of=None, settings=Settings())
    assert found["decision"] == "hold"


@pytest.mark.variants
@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        ({"install": []}, "No install is told of in this lake, so which hosts have it is assumed"),
        ({"session": [], "install": [install(0, RELEASED)]}, "No presence is told of in this lake"),
        ({"install": [install(1, RELEASED, "u2")]}, "No host is known to have it."),
        ({"install": [install(0, RELEASED)]}, "Nothing was told of the fleet for 130 minutes. Ring canary: bound"),
        (
            {"update": [{"update_id": "u1", "kind": "content", "released_at": RELEASED + timedelta(hours=5),
                         "received_at": START}]},
            "It is not released before 2026-03-04T17:00:00Z",
        ),
        (
            {"install": [install(0, RELEASED)],
             "update": [{"update_id": "u1", "kind": "content", "released_at": RELEASED,
                         "reverted_at": RELEASED + timedelta(minutes=9)}]},
            "It was withdrawn at 2026-03-04T12:09:00Z",
        ),
        ({"host": [], "session": [], "install": [install(0, RELEASED)]}, "No presence"),
    ],
    ids=["no installs", "no presence", "another's installs", "one host", "future release", "withdrawn", "no inventory"],
)  # fmt: skip
def test_what_cannot_be_told_is_on_hold_and_said(tmp_path, rows, reason):
    hosts = [host(0, "canary"), host(1, "broad")]
    lake = lake_with(tmp_path / "lake", **{"host": hosts, "crash": [crash(1, START)], **rows})
    found = ask(lake)
    assert (found["decision"], found["reason"][: len(reason)]) == ("hold", reason)


@pytest.mark.variants
@pytest.mark.parametrize(
    ("back_after", "asked_after", "decision", "dark"),
    [
        (100, 130, "go", 0),
        (100, 85, "hold", 20),
        (40, 130, "go", 0),
        (None, 120, "hold", 20),
        (None, 130, "halt", 20),
    ],
)
def test_servers_that_a_patch_restarts_and_that_do_not_come_back_keep_it_from_going_and_halt_it_after_two_hours(
    tmp_path, back_after, asked_after, decision, dark
):
    hosts = [host(number, "canary" if number < 60 else "broad", always_on=True) for number in range(100)]
    down = RELEASED + timedelta(minutes=2)
    sessions = [
        {"host_id": f"h{number}", "online_from": START, "online_until": down if number < 20 else None}
        for number in range(100)
    ]
    if back_after is not None:
        sessions += [
            {"host_id": f"h{number}", "online_from": down + timedelta(minutes=back_after)} for number in range(20)
        ]
    sessions.append({"host_id": "h99", "online_from": RELEASED + timedelta(minutes=asked_after - 5)})
    lake = lake_with(
        tmp_path / "lake",
        host=hosts,
        session=sessions,
        install=[install(number, RELEASED) for number in range(60)],
        update=[{"update_id": "u1", "kind": "os_patch", "channel": "os", "released_at": RELEASED}],
        crash=[crash(90 + number, START + timedelta(minutes=40 * number)) for number in range(4)],
    )
    found = ask(lake, minutes=asked_after, max_excess=0.1)
    assert (found["decision"], found["rings"][0]["dark"]) == (decision, dark)
    early = ask(lake, minutes=60, max_excess=0.1, soak_minutes=30)
    assert early["decision"] == "hold", "who is not back is not known yet"


def test_a_region_without_power_does_not_hold_for_ever(tmp_path):
    """Of 60 canaries 30 go dark with 120 of 140 hosts beside them, which get the update hours later."""
    down, back = RELEASED + timedelta(minutes=35), RELEASED + timedelta(minutes=100)
    dark = [*range(30), *range(60, 180)]
    sessions = [
        {"host_id": f"h{number}", "online_from": START, "online_until": down if number in dark else None}
        for number in range(200)
    ]
    sessions += [{"host_id": f"h{number}", "online_from": back} for number in dark]
    lake = lake_with(
        tmp_path / "lake",
        host=[
            host(number, "canary" if number < 60 else "broad", always_on=True, site=f"s{number}")
            for number in range(200)
        ],
        session=sessions,
        install=[install(number, RELEASED + timedelta(hours=3 * (number >= 60))) for number in range(200)],
        crash=[crash(190 + number, START + timedelta(minutes=20 * number)) for number in range(4)],
    )
    found = ask(lake, minutes=200, max_excess=0.1, soak_minutes=30)
    assert (found["rings"][0]["decision"], found["rings"][0]["dark"]) == ("go", 30)


# -- what is made of incidents


def incident(verdict: str, update_id: str | None = None, *, closed: bool = False, **tied: float) -> dict[str, Any]:
    return {
        "incident_id": "inc-1", "verdict": verdict, "update_id": update_id, "summary": "as said",
        "alarm_at": "2026-03-04T12:30:00Z",
        "closed_at": "2026-03-04T13:00:00Z" if closed else None,
        "calm_since": "2026-03-04T13:00:00Z" if closed else None,
        "candidates": [{"update_id": name, "probability": weight} for name, weight in tied.items()],
    }  # fmt: skip


def test_named_and_tied_accuse_and_a_candidate_by_the_way_does_not():
    named = accusation([incident("update", "u1", closed=True)], "u1")
    tied = accusation([incident("cannot_separate", None, u1=0.4, u2=0.5)], "u1")
    alone = accusation([incident("cannot_separate", None, u1=0.5)], "u1")
    assert (tied is not None and tied.alone, alone is not None and alone.alone) == (False, True)
    assert (named is not None and named.named, tied is not None and tied.named) == (True, False)
    assert accusation([incident("cannot_separate", None, u1=0.001, u2=0.9)], "u1") is None
    assert accusation([incident("cannot_separate", None, closed=True, u1=0.4)], "u1") is None
    assert accusation([incident("undetermined", None, u1=0.9)], "u1") is None


def test_other_updates_that_are_named_come_with_the_end_of_their_incident():
    later = RELEASED + timedelta(hours=3)
    found = [incident("update", "u2"), incident("update", "u1"), incident("no_update")]
    assert others_named(found, "u1", later) == [("u2", later)]
    [(_, until)] = others_named([incident("update", "u2", closed=True)], "u1", later)
    assert until < later


def test_what_is_put_down_to_others_since_the_rollout_began_explains():
    later, rings = RELEASED + timedelta(hours=3), [ring()]
    assert explanation([incident("update", "u2")], "u1", rings, later) is None, "no host has both"
    assert explanation([incident("update", "u2")], "u1", [ring(both=2000)], later) is None, "half of them have"
    assert explanation([incident("update", "u2")], "u1", [ring(both=2001)], later) is not None
    assert explanation([incident("no_update", closed=True)], "u1", rings, later) is not None
    assert explanation([incident("update", "u1")], "u1", rings, later) is None
    over = [ring(soaked_from_us=int((RELEASED + timedelta(hours=2)).timestamp() * 1e6))]
    assert explanation([incident("no_update", closed=True)], "u1", over, later) is None
    met = [replace(over[0], hits_at=(RELEASED + timedelta(minutes=40),))]
    assert explanation([incident("no_update", closed=True)], "u1", met, later) is not None


def test_of_several_that_one_explains_in_whose_time_hosts_were_hit():
    outage, newer = incident("no_update", closed=True), incident("update", "u2")
    newer.update(incident_id="inc-2", alarm_at="2026-03-04T16:00:00Z")
    later = RELEASED + timedelta(hours=5)

    def told(hits: list[int]) -> tuple[str, bool]:
        found = explanation([outage, newer], "u1", [ring(hits=hits, both=4000)], later)
        assert found is not None
        return found.incident_id, found.met

    assert told([40]) == ("inc-1", True)
    assert told([40, 250]) == ("inc-2", True)
    assert told([100]) == ("inc-2", False)


@pytest.mark.parametrize(
    ("changed", "hosts", "explains"),
    [
        ({}, 40_000, False),
        ({"cause": "site"}, 40_000, True),
        ({"evidence": {"hosts_crashed": 5, "hosts_dark": 1}}, 40_000, True),
        ({"evidence": {"hosts_crashed": 0, "hosts_dark": 3}}, 40_000, True),
        ({"verdict": "update", "update_id": "u2", "cause": None}, 40_000, True),
        ({}, 10_000, True),
    ],
    ids=["the very hits", "of a place", "mostly others", "silences", "another update", "most of the fleet has it"],
)
def test_a_rise_of_hardly_any_but_those_that_have_the_update_explains_nothing(changed, hosts, explains):
    rise = incident("no_update")
    rise.update({"cause": "module", "evidence": {"hosts_crashed": 4, "hosts_dark": 1}, **changed})
    found = explanation([rise], "u1", [ring(hits=[40, 50, 60], both=4000)], RELEASED + timedelta(hours=3), hosts=hosts)
    assert (found is not None) == explains


def test_disturbed_stretches_are_joined():
    first, second = incident("update", "u2", closed=True), incident("update", "u3", closed=True)
    second["calm_since"], second["closed_at"] = "2026-03-04T14:00:00Z", None  # a host is dark still
    assert disturbed([first, second], RELEASED) == [(RELEASED - timedelta(minutes=30), RELEASED + timedelta(hours=2))]


# -- overrides


@pytest.mark.slow
def test_an_override_decides_and_is_kept_with_its_reason(tmp_path):
    lake = quiet_lake(tmp_path / "lake")
    before = ask(lake)
    told = overrule(lake, before, decision="go", reason="forty canaries are what we have", by="ann", now=fleet.NOW)
    assert (told["decision"], told["override"]["overruled"], told["override"]["in_force"]) == ("go", "hold", True)
    assert told["override"]["written_at"] == time_text(fleet.NOW)
    assert "forty canaries are what we have. Without that, hold: Ring canary: bound" in told["reason"]
    assert ask(lake) == told
    assert ask(lake, minutes=129)["override"] is None, "it stands from the instant that it was given for"
    overrule(lake, told, decision="halt", reason="a customer rang", by="ann", now=fleet.NOW)
    again = ask(lake)
    assert (again["decision"], again["without_override"]["decision"]) == ("halt", "hold")
    assert len((lake.root / BOOK).read_text().splitlines()) == 2, "entries are added, never changed"


@pytest.mark.slow
def test_an_override_outlives_compaction_and_is_no_damage(tmp_path):
    lake = quiet_lake(tmp_path / "lake")
    told = overrule(lake, ask(lake), decision="go", reason="as agreed", by="ann", now=fleet.NOW)
    for table in ("install", "session", "host"):
        compact(lake, table, keep=timedelta(0))
    assert not examine(lake)
    assert ask(lake) == told


@pytest.mark.slow
def test_a_go_given_on_hold_does_not_outlast_a_crash(tmp_path):
    lake = short_outage(tmp_path / "lake")
    early = gate(lake, fleet.GUILTY, as_of=fleet.RELEASED + timedelta(minutes=1), settings=Settings())
    assert early["decision"] == "hold"
    overrule(lake, early, decision="go", reason="go on", by="ann", now=fleet.NOW)
    late = gate(lake, fleet.GUILTY, as_of=None, settings=Settings())
    assert (late["decision"], late["override"]["in_force"]) == ("halt", False)
    assert f"(The go of ann at {early['as_of']} was given over a hold.)" in late["reason"]
    ready = {**early, "without_override": {**early["without_override"], "decision": "go"}}
    overrule(lake, ready, decision="go", reason="it said so", by="ann", now=fleet.NOW)
    assert "was given over a go.)" in gate(lake, fleet.GUILTY, as_of=None, settings=Settings())["reason"]
    assert overrule(lake, late, decision="go", reason="we know, and go on", by="ann", now=fleet.NOW)["decision"] == "go"


@pytest.mark.parametrize("reason", [None, "  ", "x" * 3000])
def test_an_override_without_a_reason_is_refused(reason):
    with pytest.raises(BadArgument, match="Nothing was written"):
        check_reason(reason)


SOUND = {
    "update_id": "u1", "decision": "go", "reason": "r", "by": "ann", "as_of": time_text(RELEASED), "overruled": "hold",
    "written_at": time_text(RELEASED),
}  # fmt: skip


@pytest.mark.variants
@pytest.mark.parametrize(
    "line",
    [
        {"update_id": "u1"}, [], {**SOUND, "overruled": "stop"}, {**SOUND, "decision": "hold"},
        {**SOUND, "as_of": "2024-07-19T04:09:00"},
    ],
    ids=["lacks_much", "no_object", "no_answer", "no_decision", "no_offset"],
)  # fmt: skip
def test_a_damaged_book_is_not_passed_over(line, tmp_path):
    lake = lake_with(tmp_path / "lake", host=[host(0, "canary")], install=[install(0, RELEASED)])
    (lake.root / BOOK).parent.mkdir()
    (lake.root / BOOK).write_text(f"{json.dumps(SOUND)}\n{json.dumps(line)}\n")
    with pytest.raises(LakeError, match=r"Line 2 of .* is no override"):
        ask(lake)
