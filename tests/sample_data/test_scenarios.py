"""What each scenario promises beside its fault: who is innocent and near, what goes dark, what is not told."""

from __future__ import annotations

import pytest

SECOND_UPDATE = "content-302-"


@pytest.fixture
def two(simulated):
    return simulated("two-updates", 1)


@pytest.fixture
def agent(simulated):
    return simulated("agent-upgrade", 1)


@pytest.fixture
def region(simulated):
    return simulated("region-outage", 1)


@pytest.fixture
def untold(simulated):
    return simulated("no-installs", 1)


def _content(fleet, channel):
    """Id and release of the channel's update on the judged day, as DuckDB's timestamp."""
    return fleet.rows(
        "SELECT update_id, released_at FROM update WHERE channel = $channel AND released_at >= $day",
        channel=channel,
        day=fleet.truth["from"],
    )[0]


def test_two_updates_are_ten_minutes_apart_and_most_hosts_get_both(two):
    innocent, released = _content(two, "302")
    apart = two.one(
        "SELECT epoch($second::TIMESTAMPTZ - $first::TIMESTAMPTZ)", first=two.truth["released_at"], second=released
    )
    assert apart == 600
    both = two.one(
        """
        SELECT avg((b.host_id IS NOT NULL)::INT) FROM (FROM install WHERE update_id = $guilty) a
        LEFT JOIN (FROM install WHERE update_id = $innocent) b ON b.host_id = a.host_id
          AND b.applied_at < a.applied_at + INTERVAL 1 HOUR""",
        guilty=two.truth["guilty"],
        innocent=innocent,
    )
    assert both > 0.9


def test_of_two_updates_the_first_is_guilty_and_most_of_its_crashes_come_after_the_second(two):
    _, second = _content(two, "302")
    after = two.one(
        "SELECT avg((moment::TIMESTAMPTZ > $second)::INT) FROM (SELECT unnest($times) AS moment)",
        second=second,
        times=two.truth["fault_times"],
    )
    assert len(two.truth["fault_times"]) > 50
    assert after > 0.6
    faults = f"(FROM crash WHERE module_offset = {0x8F3A2})"
    assert two.rows(f"SELECT DISTINCT os_type, os_version FROM {faults}") == [("windows", "10.0.19045")]
    without = two.one(
        f"""
        SELECT count(*) FROM {faults} f ANTI JOIN install i ON i.host_id = f.host_id
          AND i.update_id = $guilty AND i.applied_at < f.occurred_at""",
        guilty=two.truth["guilty"],
    )
    assert without <= 1  # an acknowledgement that is hours late


def test_the_agent_goes_to_one_ring_after_another_and_never_to_the_last(agent):
    minutes = dict(
        agent.rows(
            """
            SELECT ring, min(epoch(applied_at - $released::TIMESTAMPTZ) / 60) FROM install JOIN host USING (host_id)
            WHERE update_id = $guilty AND action = 'installed' GROUP BY ring""",
            released=agent.truth["released_at"],
            guilty=agent.truth["guilty"],
        )
    )
    assert set(minutes) == {"canary", "early"}
    assert 0 < minutes["canary"] < 80 < minutes["early"]
    assert agent.truth["reverted_at"] is not None


def test_content_beside_the_agent_reaches_most_hosts_and_only_the_new_agent_crashes(agent):
    for channel in ("302", "318"):
        innocent, _ = _content(agent, channel)
        share = agent.one(
            """
            SELECT count(DISTINCT host_id) / (SELECT count(*) FROM host WHERE os_type = 'windows')
            FROM install JOIN host USING (host_id) WHERE update_id = $innocent AND os_type = 'windows'""",
            innocent=innocent,
        )
        assert share > 0.8
    faults = f"(FROM crash WHERE module_offset = {0x2B9D0})"
    assert agent.rows(f"SELECT DISTINCT os_type, agent_version FROM {faults}") == [("windows", "7.17.18721")]
    assert len(agent.truth["fault_times"]) >= 8


def test_a_regions_servers_go_dark_together_and_come_back_and_others_do_not(region):
    (outage,) = region.truth["outages"]
    assert region.truth["guilty"] is None
    assert region.truth["fault_times"] == []
    shares = dict(
        region.rows(
            """
            WITH gone AS (
              SELECT host_id, online_until, lead(online_from) OVER (PARTITION BY host_id ORDER BY online_from) AS back
              FROM session)
            SELECT region = $region, avg((gone.host_id IS NOT NULL)::INT) FROM host
            LEFT JOIN gone ON gone.host_id = host.host_id AND back - online_until BETWEEN INTERVAL 18 MINUTE
              AND INTERVAL 80 MINUTE AND epoch(online_until - $at::TIMESTAMPTZ) BETWEEN 0 AND 90
            WHERE always_on GROUP BY ALL""",
            region=outage["where"]["region"],
            at=outage["at"],
        )
    )
    assert 0.75 < shares[True] < 0.95
    assert shares[False] == 0


def test_hosts_that_lose_power_mostly_tell_of_their_crash_by_the_next_boot(region):
    (outage,) = region.truth["outages"]
    there = """
        (SELECT DISTINCT ON (crash_id) crash.* FROM crash JOIN host USING (host_id) WHERE region = $region
         AND occurred_at BETWEEN $at::TIMESTAMPTZ AND $at::TIMESTAMPTZ + INTERVAL 80 MINUTE)"""
    named = {"region": outage["where"]["region"], "at": outage["at"]}
    qualities = dict(region.rows(f"SELECT time_quality, count(*) FROM {there} GROUP BY ALL", **named))
    assert sum(qualities.values()) > 12
    assert 0.55 < qualities["reboot"] / sum(qualities.values()) < 0.9
    first = region.one(
        f"SELECT min(epoch(occurred_at - $at::TIMESTAMPTZ)) FROM {there} WHERE time_quality = 'reboot'", **named
    )
    assert first > 17 * 60  # the power is back after 18 minutes at the soonest


def test_an_innocent_update_went_to_the_region_minutes_before_its_power_failed(region):
    (outage,) = region.truth["outages"]
    innocent, _ = _content(region, "302")
    share = region.one(
        """
        SELECT avg((i.host_id IS NOT NULL)::INT) FROM host LEFT JOIN install i ON i.host_id = host.host_id
          AND update_id = $innocent AND applied_at BETWEEN $at::TIMESTAMPTZ - INTERVAL 15 MINUTE AND $at::TIMESTAMPTZ
        WHERE always_on AND region = $region""",
        innocent=innocent,
        region=outage["where"]["region"],
        at=outage["at"],
    )
    assert share > 0.8


def test_where_installs_are_not_told_some_crashes_still_say_what_was_on_the_host(untold):
    assert untold.one("SELECT count(*) FROM install") == 0
    assert untold.truth["guilty"] == "content-329-168"
    assert untold.one("SELECT count(*) FROM update WHERE update_id = 'content-329-168'") == 1
    faults = f"(FROM crash WHERE module_offset = {0x61C04})"
    assert 0.3 < untold.one(f"SELECT avg((content IS NOT NULL)::INT) FROM {faults}") < 0.5
    said = untold.rows(f"SELECT DISTINCT content['329'] FROM {faults} WHERE content IS NOT NULL")
    assert said == [("168",)]
