"""Rises that follow no update: whom they meet, when, and how often; clocks that are wrong."""

from __future__ import annotations

import numpy as np
import pytest

from fleetcrash.errors import BadArgument
from sample_data.simulator import simulate
from sample_data.simulator.sessions import Sessions
from tests.sample_data.conftest import Simulated
from tests.sample_data.test_contract import BY_THE_CLOCK, broken

TOP = """
title = "a rise that follows no update"
judged_day = 2024-07-10
[[updates]]
name = "innocent"
kind = "content"
channel = "991"
at = 09:00:00
rollout = { by = "push" }
"""


@pytest.fixture
def rise(tmp_path):
    def make(toml: str, *, hosts: int = 1500, without: tuple[str, ...] = ()) -> Simulated:
        path = tmp_path / "rise.toml"
        path.write_text(TOP + toml)
        simulate(path, tmp_path / "out", hosts=hosts, seed=5, days=1)
        made = Simulated(tmp_path / "out")
        assert broken(made, without=without) == []
        return made

    return make


def test_a_wave_crashes_one_customers_hosts_from_its_minute_on_and_nobody_else(rise):
    made = rise(
        """
        [[waves]]
        where = { os_type = "windows" }
        one = "customer"
        share = 0.7
        follows = "innocent"
        by_min = 2
        lasts_min = 300
        after = { by = "exponential", median_s = 3600 }
        recurs = 0.5
        module = "vpn.sys"
        module_version = "9.5"
        """
    )
    (wave,) = made.truth["waves"]
    assert wave["at"] == "2024-07-10T09:02:00.000000Z"
    assert wave["where"]["os_type"] == "windows"
    assert made.truth["guilty"] is None
    crashed = made.rows(
        """SELECT DISTINCT customer, host.os_type, module_version FROM crash JOIN host USING (host_id)
        WHERE module = 'vpn.sys'"""
    )
    assert crashed == [(wave["where"]["customer"], "windows", "9.5")]
    crashes, hosts, first, last = made.rows(
        """SELECT count(*), count(DISTINCT host_id), min(occurred_at) > $at,
        max(occurred_at) FILTER (time_quality <> 'reboot') < $at::TIMESTAMPTZ + INTERVAL 300 MINUTE
        FROM crash WHERE module = 'vpn.sys'""",
        at=wave["at"],
    )[0]
    assert crashes > hosts > 10
    assert first
    assert last


def test_a_few_broken_hosts_crash_again_and_again_each_in_its_own_way(rise):
    made = rise(
        """
        [[waves]]
        hosts = 3
        at = 01:00:00
        lasts_min = 1200
        after = { by = "exponential", median_s = 60 }
        recurs = 0.999
        """
    )
    often = made.rows("SELECT host_id, count(*), count(DISTINCT module) FROM crash GROUP BY ALL HAVING count(*) > 20")
    assert 0 < len(often) <= 3
    assert max(crashes for _, crashes, _ in often) > 100
    # One thing is wrong with each; it may also have crashed in an ordinary way.
    assert all(modules <= 2 for _, _, modules in often)


def test_an_outage_meets_one_site(rise):
    made = rise(
        """
        [[outages]]
        one = "site"
        follows = "innocent"
        by_min = 5
        lasts_min = [20, 40]
        crash = 0.5
        noticed_at_reboot = 1.0
        """
    )
    (outage,) = made.truth["outages"]
    crashed = made.rows(
        """SELECT DISTINCT site, time_quality FROM crash JOIN host USING (host_id)
        WHERE occurred_at BETWEEN $at::TIMESTAMPTZ + INTERVAL 15 MINUTE AND $at::TIMESTAMPTZ + INTERVAL 45 MINUTE""",
        at=outage["at"],
    )
    assert crashed == [(outage["where"]["site"], "reboot")]


def test_a_wrong_clock_is_told_by_crashes_and_installs_and_not_by_sessions(rise):
    """Four hours ahead, in one region."""
    made = rise(
        """
        [[wrong_clocks]]
        where = { region = "us-east" }
        ahead_hours = [4, 4]
        [[waves]]
        at = 10:00:00
        share = 0.2
        lasts_min = 60
        after = { by = "lognormal", median_s = 300 }
        module = "bad.sys"
        """,
        without=BY_THE_CLOCK,
    )
    ahead = made.rows(
        """SELECT region = 'us-east', median(epoch(received_at - occurred_at) / 3600)
        FROM crash JOIN host USING (host_id) WHERE module = 'bad.sys' GROUP BY ALL ORDER BY 1"""
    )
    assert 0 < ahead[0][1] < 1 < 3 < -ahead[1][1] < 4
    installs = made.rows(
        """SELECT region = 'us-east', min(applied_at) - $at::TIMESTAMPTZ > INTERVAL 3 HOUR FROM install
        JOIN host USING (host_id) JOIN update USING (update_id) WHERE channel = '991' GROUP BY ALL ORDER BY 1""",
        at="2024-07-10T09:00:00Z",
    )
    assert installs == [(False, False), (True, True)]
    assert made.one("SELECT count(*) FROM session WHERE online_from >= $to", to=made.truth["to"]) == 0


def test_a_rival_of_an_update_before_the_first_day_never_begins(rise):
    made = rise(
        """
        [[updates]]
        name = "long ago"
        kind = "content"
        channel = "992"
        day = -1
        at = 09:00:00
        rollout = { by = "push" }
        [[waves]]
        follows = "long ago"
        by_min = 1
        lasts_min = 60
        after = { by = "lognormal", median_s = 300 }
        module = "bad.sys"
        """,
        hosts=200,
    )
    assert "waves" not in made.truth
    assert made.one("SELECT count(*) FROM crash WHERE module = 'bad.sys'") == 0


@pytest.mark.parametrize("boots", [True, False])
def test_a_host_that_was_only_not_heard_comes_back_without_a_boot(boots):
    host = np.array([0, 0, 1])
    on, off = np.array([0, 9_000_000, 0]), np.array([8_000_000, 12_000_000, 12_000_000])
    sessions = Sessions.sorted(host, on, off, np.zeros(3, dtype=np.bool_))
    # The first host's absence outlasts its session, the second one's does not.
    cut = sessions.cut(np.array([0, 2]), np.array([1_000_000] * 2), np.array([8_500_000, 5_000_000]), boots=boots)
    assert cut.on.tolist() == [0, 9_000_000, 0, 5_000_000]
    assert cut.off.tolist() == [1_000_000, 12_000_000, 1_000_000, 12_000_000]
    assert cut.boot.tolist() == [False, boots, False, boots]


def test_a_wave_waits_for_no_boot(rise):
    with pytest.raises(BadArgument, match=r"waves\[0\].after.by is 'next_boot'; wanted one of lognormal, exponential"):
        rise(
            """
            [[waves]]
            at = 10:00:00
            lasts_min = 60
            after = { by = "next_boot", median_s = 300 }
            """
        )


def test_where_clocks_go_forward_days_begin_an_hour_earlier_and_nowhere_else(rise):
    toml = """
        [override.life]
        clocks_forward = {regions}
        """
    begins = """
        SELECT region, median(first) FROM (SELECT region, min(epoch(online_from)) AS first FROM session
          JOIN host USING (host_id) WHERE NOT always_on AND online_from > '2024-07-10T10:00Z' GROUP BY host_id, region)
        WHERE region IN ('us-east', 'us-west') GROUP BY region"""
    usual, forward = (dict(rise(toml.replace("{regions}", text)).rows(begins)) for text in ("[]", '["us-east"]'))
    assert forward["us-west"] == usual["us-west"]
    assert 3000 < usual["us-east"] - forward["us-east"] < 4200
