"""An update that is sent again is judged by what happens since; one that is only told again is not sent again."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from fleetcrash.gate.decision import gate
from fleetcrash.gate.reading import Ring, read_rings
from fleetcrash.gate.settings import Settings
from fleetcrash.store import Engine
from tests.fleetcrash.gate.rollouts import RELEASED, START, Row, crash, host, install, lake_with

CANARIES = range(100)
LATER = RELEASED + timedelta(days=3)


def pushed(at: datetime, hosts: Iterable[int] = CANARIES, **more: str) -> list[Row]:
    """Installs on hosts within a minute."""
    return [install(number, at + timedelta(seconds=number % 60), **more) for number in hosts]


REMOVED = pushed(RELEASED + timedelta(hours=6), action="removed")


def rolled_out(path: Path, again: list[Row], *, crashes: Iterable[Row] = (), sessions: Sequence[Row] = ()) -> Ring:
    """The ring of canaries, of three hundred hosts, a quarter of an hour after the later push."""
    always: list[Row] = [{"host_id": f"h{number}", "online_from": START - timedelta(days=4)} for number in range(300)]
    lake = lake_with(
        path,
        host=[host(number, "canary" if number in CANARIES else "broad") for number in range(300)],
        install=[*pushed(RELEASED), *again],
        crash=[*crashes, *(crash(250 + number, START + timedelta(hours=5 * number)) for number in range(12))],
        session=sessions or always,
    )
    with Engine(lake, as_of=LATER + timedelta(minutes=15)) as engine:
        return read_rings(engine, "u1", disturbed=[])[0][0]


def soaked_from(ring: Ring) -> float:
    """Days after the release."""
    return (ring.soaked_from_us / 1e6 - RELEASED.timestamp()) / 86400


@pytest.mark.parametrize("again", [[*REMOVED, *pushed(LATER)], pushed(LATER)], ids=["removed first", "not removed"])
def test_it_soaks_again_and_only_what_happens_since_counts(tmp_path, again):
    crashes = [crash(1, RELEASED + timedelta(minutes=1)), crash(2, LATER + timedelta(minutes=4))]
    ring = rolled_out(tmp_path / "lake", again, crashes=crashes)
    assert soaked_from(ring) == pytest.approx(3, abs=0.001)
    assert (ring.exposed, ring.holders, ring.crashed) == (100, 100, 1)
    assert ring.evidence.hits.age.tolist() == [1], "four minutes after the second install"
    assert ring.host_hours == pytest.approx(100 * 14.5 / 60, rel=0.05)


def test_the_gate_does_not_go_by_the_soak_of_the_first_time(tmp_path):
    lake = lake_with(
        tmp_path / "lake",
        host=[host(number, "canary" if number in CANARIES else "broad") for number in range(120)],
        install=[*pushed(RELEASED), *pushed(RELEASED + timedelta(hours=1), action="removed"),
                 *pushed(RELEASED + timedelta(hours=5))],
        crash=[crash(110, START)],
        session=[*({"host_id": f"h{number}", "online_from": START} for number in range(120)),
                 {"host_id": "h1", "online_from": RELEASED + timedelta(hours=5, minutes=14)}],
    )  # fmt: skip
    found = gate(lake, "u1", as_of=RELEASED + timedelta(hours=5, minutes=15), settings=Settings(max_excess=0.1))
    assert (found["decision"], found["reason"]) == ("hold", "Ring canary: soak has 106 minutes to go.")


def test_a_few_that_get_it_again_begin_no_soak(tmp_path):
    assert soaked_from(rolled_out(tmp_path / "few", pushed(LATER, range(4)))) == pytest.approx(0, abs=0.001)
    assert soaked_from(rolled_out(tmp_path / "many", pushed(LATER, range(10)))) == pytest.approx(3, abs=0.001)


def test_what_is_told_again_at_each_boot_is_the_same_install(tmp_path):
    boots = [RELEASED + timedelta(days=day, hours=-4) for day in range(4)]
    told = [row for boot in boots[1:] for row in pushed(boot + timedelta(minutes=1))]
    sessions = [
        {"host_id": f"h{number}", "online_from": boot, "online_until": boot + timedelta(hours=9)}
        for number in range(300) for boot in boots
    ]  # fmt: skip
    assert soaked_from(rolled_out(tmp_path / "lake", told, sessions=sessions)) == pytest.approx(0, abs=0.001)


@pytest.mark.parametrize("every_minutes", [60, 24 * 60 + 30])
def test_what_is_told_again_every_hour_or_day_is_the_same_install(tmp_path, every_minutes):
    times = [RELEASED + timedelta(minutes=at) for at in range(every_minutes, 3 * 1440, every_minutes)]
    told = [row for at in times for row in pushed(at)]
    assert soaked_from(rolled_out(tmp_path / "lake", told)) == pytest.approx(0, abs=0.001)


def test_a_crash_is_not_undone_by_getting_it_again_after_it(tmp_path):
    """By a boot after which all content is told again, and by a tool that takes it back and tries once more."""
    struck = LATER + timedelta(minutes=2)
    after = [*pushed(struck + timedelta(minutes=2), range(3)), *pushed(struck, range(3, 6), action="removed"),
             *pushed(struck + timedelta(minutes=4), range(3, 6))]  # fmt: skip
    ring = rolled_out(
        tmp_path / "lake", [*REMOVED, *pushed(LATER), *after], crashes=[crash(number, struck) for number in range(6)]
    )
    assert ring.crashed == 6


def test_hosts_that_had_it_before_are_not_beside_it(tmp_path):
    """What they did with it the first time is no baseline of what they do without it."""
    lake = lake_with(
        tmp_path / "lake",
        host=[host(number, "canary" if number in CANARIES else "broad") for number in range(300)],
        install=[*pushed(RELEASED), *REMOVED, *pushed(LATER)],
        crash=[crash(number, RELEASED + timedelta(minutes=3)) for number in range(50)],
        session=[{"host_id": f"h{number}", "online_from": START} for number in range(300)],
    )
    with Engine(lake, as_of=LATER + timedelta(minutes=15)) as engine:
        baseline = read_rings(engine, "u1", disturbed=[])[1]
    assert baseline.overall < 1e-5, "per minute; fifty crashes in 200 hosts and three days would be 4e-5"
