"""Killed at random moments, the collector and the monitor lose nothing, store nothing twice and alert once."""

from __future__ import annotations

import pytest

from bench.collector_clock import turn
from bench.collector_kill import FAULTS, survive


@pytest.mark.slow
def test_a_replay_in_which_both_are_killed_comes_to_what_one_in_peace_does(tmp_path):
    told = survive(tmp_path, "both", times=3, hosts=300, minutes=12, pace_s=0.05, seed=1)
    assert {name: told[name] for name in FAULTS} == dict.fromkeys(FAULTS, 0)
    assert told["answers"]["202"] == told["bodies"] > 50
    assert told["records"] > 1000
    assert told["alerts_opened"] == told["incidents"] == 1


@pytest.mark.slow
def test_what_is_acknowledged_later_is_known_no_earlier_though_the_clock_is_set_back(tmp_path):
    told = turn(tmp_path, times=2, seed=1)
    assert told["acknowledged"] > 0
    assert (told["acknowledged_and_lost"], told["there_twice"], told["known_before_an_earlier_one"]) == (0, 0, 0)
