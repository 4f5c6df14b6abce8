"""Hosts that had crashed in the day before they got the update: whether they crash again counts, held against how often
such hosts do."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from math import log
from pathlib import Path
from typing import Any

import pytest

from fleetcrash.gate.baseline import Baseline
from fleetcrash.gate.evidence import log_evidence, upper_bound
from fleetcrash.gate.reading import Ring, read_rings
from fleetcrash.store import Engine
from tests.fleetcrash.gate.rollouts import RELEASED, START, crash, host, install, lake_with

HALTS = -log(0.005)


def minutes(count: float) -> timedelta:
    return timedelta(minutes=count)


def canary(path: Path, crashes: Sequence[dict[str, Any]], *, after: float = 60, **more: Any) -> tuple[Ring, Baseline]:
    """Sixty canaries of two hundred hosts, all of which get the update at its release, and these crashes."""
    lake = lake_with(
        path,
        host=[host(number, "canary" if number < 60 else "broad") for number in range(200)],
        session=[{"host_id": f"h{number}", "online_from": START - timedelta(days=2)} for number in range(200)],
        crash=crashes,
        **{"install": [install(number, RELEASED) for number in range(60)], **more},
    )
    with Engine(lake, as_of=RELEASED + minutes(after)) as engine:
        rings, baseline = read_rings(engine, "u1", disturbed=[])
    return rings[0], baseline


def test_a_hotfix_that_crashes_the_hosts_again_that_the_update_before_it_crashed_is_seen(tmp_path):
    before = [crash(number, RELEASED - minutes(240 - number)) for number in range(20)]
    again = [crash(number, RELEASED + minutes(2 + number / 10)) for number in range(12)]
    ring, baseline = canary(tmp_path / "lake", [*before, *again])
    assert (ring.crashed, ring.relapsed) == (12, 12), "the contract's hosts with a crash while exposed"
    assert log_evidence(ring.evidence, caution=baseline.caution) > HALTS
    assert upper_bound(ring.evidence, alpha=0.05) > 11 / 60


@pytest.mark.variants
@pytest.mark.parametrize(
    ("before", "since_crash"),
    [([], 0), ([1500], 0), ([700], 2), ([30], 1), ([30, 1400], 3), ([30, 1500], 1)],
    ids=["none", "the day before", "today", "just now", "twice", "a day between"],
)
def test_a_crash_is_held_against_how_often_such_hosts_crash_again(tmp_path, before, since_crash):
    crashes = [crash(1, RELEASED - minutes(ago)) for ago in before]
    ring, baseline = canary(tmp_path / "lake", [*crashes, crash(1, RELEASED + minutes(5)), crash(2, START)])
    expected = baseline.rates_of("canary", ("windows", False, 2, since_crash)).sum()
    assert ring.evidence.hits.rate.tolist() == pytest.approx([expected])
    assert ring.relapsed == (since_crash > 0)
    assert ring.evidence.hits.witness.tolist() == [since_crash < 3]


def test_a_crash_again_after_a_newer_update_may_be_that_ones_and_halts_nothing(tmp_path):
    before = [crash(number, RELEASED - minutes(240 - number)) for number in range(20)]
    again = [crash(number, RELEASED + minutes(42)) for number in range(12)]
    newer = [install(number, RELEASED + minutes(40), "u2") for number in range(60)]
    ring, baseline = canary(
        tmp_path / "lake", [*before, *again], install=[*newer, *(install(n, RELEASED) for n in range(60))]
    )
    assert (ring.crashed, any(ring.evidence.hits.witness)) == (12, False)
    assert log_evidence(ring.evidence, caution=baseline.caution) == 0.0
    assert upper_bound(ring.evidence, alpha=0.05) > 11 / 60, "nor does it go"


def test_a_host_in_a_loop_counts_once_and_bears_no_witness(tmp_path):
    loop = [crash(number, RELEASED + minutes(7 * step)) for number in range(6) for step in range(-9, 8)]
    ring, baseline = canary(tmp_path / "lake", loop)
    assert (ring.crashed, len(ring.evidence.hits), any(ring.evidence.hits.witness)) == (6, 6, False)
    assert log_evidence(ring.evidence, caution=baseline.caution) == 0.0


def test_the_time_for_which_a_host_is_likelier_to_crash_again_adds_to_the_expected(tmp_path):
    before = [crash(100, START), *(crash(number, RELEASED - minutes(30)) for number in range(20))]
    ring, baseline = canary(tmp_path / "lake", before, after=90)
    never, soon, today = (baseline.rates_of("canary", ("windows", False, 2, since)).sum() for since in (0, 1, 2))
    assert soon > 2 * today >= 2 * never
    assert ring.hit == 0
    assert ring.expected == pytest.approx(20 * (30 * soon + 60 * today) + 40 * 90 * never, rel=0.01)


def test_how_often_hosts_crash_again_is_learned_from_those_without_the_update(tmp_path):
    """Of thirty that crashed, ten did again a quarter of an hour later and ten after two hours."""
    first = [crash(number, RELEASED - minutes(600)) for number in range(100, 130)]
    soon = [crash(number, RELEASED - minutes(585)) for number in range(100, 110)]
    late = [crash(number, RELEASED - minutes(480)) for number in range(110, 120)]
    with_it = [crash(number, RELEASED + minutes(3)) for number in range(30)]
    _, baseline = canary(tmp_path / "lake", [*first, *soon, *late, *with_it])
    assert baseline.again[0] == pytest.approx(12 / (10 * 15 + 20 * 60 + 1200), rel=0.01)
    assert baseline.again[1] == pytest.approx(12 / (10 * 60 + 10 * 590 + 2 * 14400), rel=0.02)
    # Nobody crashed a third time: the twenty have been in a loop for ten and eight hours.
    assert baseline.again[2] == pytest.approx(2 / (10 * 635 + 10 * 530 + 1440), rel=0.02)


def test_a_fault_that_goes_on_crashing_its_hosts_is_not_the_updates(tmp_path):
    """Every sixth host crashes each two hours or so, with the update and without it."""
    looping = [
        crash(number, RELEASED + minutes(113 * step + 11 * number % 97))
        for number in range(0, 200, 6)
        for step in range(-9, 2)
    ]
    for after in (20, 60, 120):
        ring, baseline = canary(tmp_path / str(after), looping, after=after)
        assert log_evidence(ring.evidence, caution=baseline.caution) < HALTS
    assert (ring.crashed, ring.relapsed) == (10, 10)
