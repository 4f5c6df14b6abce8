"""Every simulated record obeys the contract, and no two of them contradict each other."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from tests.sample_data.conftest import Simulated

# Each query finds records that break a rule; all must find none.
BROKEN = {
    "a crash lacks what is required": """
        FROM crash WHERE crash_id IS NULL OR host_id IS NULL OR occurred_at IS NULL OR os_type IS NULL""",
    "a crash has a value that is not allowed": """
        FROM crash WHERE os_type NOT IN ('windows', 'darwin', 'linux') OR domain NOT IN ('kernel', 'user',
        'hang') OR time_quality NOT IN ('exact', 'reboot', 'log', 'received')
        OR module_offset < 0 OR uptime_s < 0 OR length(crash_id) > 128 OR length(host_id) > 128""",
    "a crash has no stack, or its module is not in it": """
        FROM crash WHERE len(frames) = 0 OR NOT list_contains([f.module FOR f IN frames], module)
        OR NOT list_contains([f."offset" FOR f IN frames], module_offset)""",
    "a crash was received before it happened": "FROM crash WHERE received_at <= occurred_at",
    "two crashes share an id and are not the same record": """
        FROM (SELECT crash_id FROM (SELECT DISTINCT * EXCLUDE (content, tags) FROM crash)
        GROUP BY crash_id HAVING count(*) > 1)""",
    "an install lacks what is required": """
        FROM install WHERE host_id IS NULL OR update_id IS NULL OR applied_at IS NULL
        OR action NOT IN ('installed', 'removed')""",
    "an install was received before it took effect": "FROM install WHERE received_at < applied_at",
    "an install comes twice": """
        FROM (SELECT 1 FROM install GROUP BY host_id, update_id, applied_at, action HAVING count(*) > 1)""",
    "an update is installed twice on a host": """
        FROM (SELECT 1 FROM install GROUP BY host_id, update_id, action HAVING count(*) > 1)""",
    "an install comes before its update's release": """
        FROM install JOIN update USING (update_id) WHERE applied_at < released_at""",
    "an update is installed after it was withdrawn": """
        FROM install JOIN update USING (update_id) WHERE action = 'installed' AND applied_at >=
        reverted_at""",
    "an install is of no known update": "FROM install ANTI JOIN update USING (update_id)",
    "an older release is installed over a newer one": """
        FROM install i JOIN update u USING (update_id)
        JOIN (install JOIN update USING (update_id)) j
          ON j.host_id = i.host_id AND j.kind = u.kind AND j.channel IS NOT DISTINCT FROM u.channel
        WHERE i.action = 'installed' AND j.action = 'installed'
          AND j.released_at > u.released_at AND j.applied_at <= i.applied_at""",
    "something is installed on a host that is offline": """
        FROM install i ANTI JOIN session s ON s.host_id = i.host_id AND s.online_from <= i.applied_at
        AND (s.online_until IS NULL OR i.applied_at < s.online_until)""",
    "something is removed before it was installed": """
        FROM install r JOIN install i USING (host_id, update_id)
        WHERE r.action = 'removed' AND i.action = 'installed' AND r.applied_at <= i.applied_at""",
    "an update lacks what is required": """
        FROM update WHERE update_id IS NULL OR released_at IS NULL
        OR kind NOT IN ('content', 'agent', 'os_patch', 'driver', 'policy')
        OR reverted_at <= released_at OR received_at < released_at""",
    "an update comes twice": "FROM (SELECT 1 FROM update GROUP BY update_id HAVING count(*) > 1)",
    "a host lacks what is known of it": """
        FROM host WHERE host_id IS NULL OR os_type IS NULL OR os_version IS NULL OR os_build IS NULL
        OR agent_version IS NULL OR model IS NULL OR region IS NULL OR ring IS NULL OR "group" IS NULL
        OR site IS NULL OR customer IS NULL OR criticality IS NULL OR always_on IS NULL""",
    "a host comes twice": "FROM (SELECT 1 FROM host GROUP BY host_id HAVING count(*) > 1)",
    "a site lies in two regions or belongs to two customers": """
        FROM (SELECT 1 FROM host GROUP BY site
        HAVING count(DISTINCT region) > 1 OR count(DISTINCT customer) > 1)""",
    "an OS build belongs to two versions": """
        FROM (SELECT 1 FROM host GROUP BY os_build HAVING count(DISTINCT (os_type, os_version)) > 1)""",
    "a record is of no known host": """
        FROM (SELECT host_id FROM crash UNION ALL SELECT host_id FROM install UNION ALL
        SELECT host_id FROM session) ANTI JOIN host USING (host_id)""",
    "a session has no length": "FROM session WHERE online_until <= online_from OR online_from IS NULL",
    "two sessions of a host overlap": """
        FROM (SELECT online_from, lag(coalesce(online_until, 'infinity'))
          OVER (PARTITION BY host_id ORDER BY online_from) AS last FROM session) WHERE online_from < last""",
    "a host crashes while it is offline": """
        FROM crash c ANTI JOIN session s ON s.host_id = c.host_id AND s.online_from <= c.occurred_at
        AND (s.online_until IS NULL OR c.occurred_at <= s.online_until) WHERE time_quality <> 'reboot'""",
    "a host's session goes on over its crash": """
        FROM crash c ANTI JOIN session s ON s.host_id = c.host_id AND s.online_until = c.occurred_at
        WHERE time_quality <> 'reboot' AND domain <> 'user'""",
    "a crash that was noticed at a boot does not stand right before one": """
        FROM crash c ANTI JOIN session s ON s.host_id = c.host_id
        AND s.online_from > c.occurred_at AND s.online_from < c.occurred_at + INTERVAL 30 SECOND
        WHERE time_quality = 'reboot'""",
    "a host has been up for longer than since its last crash": """
        FROM (SELECT uptime_s, epoch(occurred_at - lag(occurred_at)
          OVER (PARTITION BY host_id ORDER BY occurred_at)) AS since FROM (SELECT DISTINCT ON (crash_id) *
          FROM crash)
        WHERE time_quality <> 'reboot' AND domain <> 'user') WHERE uptime_s > since""",
    "a record was received after the end": """
        FROM (SELECT received_at FROM crash UNION ALL SELECT received_at FROM install) WHERE received_at >
        $end""",
}


# A wrong clock tells of crashes and installs at times at which they cannot have been.
BY_THE_CLOCK = ("received before", "before its update", "offline", "session goes on", "boot does not", "up for longer")


def broken(fleet: Simulated, *, without: tuple[str, ...] = ()) -> list[str]:
    """The rules that some record breaks; those that have a text of ``without`` in their name are not looked at."""
    looked_at = [rule for rule in BROKEN if not any(text in rule for text in without)]
    return [rule for rule in looked_at if _breaks(fleet, rule)]


def _breaks(fleet: Simulated, rule: str) -> bool:
    parameters = {"end": fleet.truth["to"]} if "$end" in BROKEN[rule] else {}
    return fleet.one(f"SELECT count(*) {BROKEN[rule]}", **parameters) > 0


@pytest.mark.parametrize("rule", BROKEN)
def test_no_record_breaks_a_rule(fleet, rule):
    assert not _breaks(fleet, rule)


def test_columns_have_the_contracts_types(fleet):
    def types(kind):
        return {name: str(kind_) for name, kind_, *_ in fleet.rows(f'DESCRIBE "{kind}"')}

    crash, host = types("crash"), types("host")
    times = {
        "crash": ["occurred_at", "received_at"],
        "install": ["applied_at", "received_at"],
        "update": ["released_at", "reverted_at", "received_at"],
        "session": ["online_from", "online_until"],
    }
    for kind, names in times.items():
        assert {types(kind)[name] for name in names} == {"TIMESTAMP WITH TIME ZONE"}
    assert host["always_on"] == "BOOLEAN"
    assert crash["module_offset"] == "BIGINT"
    assert crash["uptime_s"] == "DOUBLE"
    assert crash["content"] == crash["tags"] == "MAP(VARCHAR, VARCHAR)"
    assert crash["frames"].replace('"', "") == "STRUCT(module VARCHAR, function VARCHAR, offset BIGINT)[]"
    texts = {name for kind in times for name, type_ in types(kind).items() if type_ == "VARCHAR"}
    assert {"os_version", "os_build", "agent_version", "code", "version", "channel"} <= texts


def test_the_truth_has_the_contracts_keys_and_tells_of_outages_where_there_are_any(fleet):
    assert [key for key in fleet.truth if key != "outages"] == [
        "scenario",
        "seed",
        "hosts",
        "guilty",
        "guilty_kind",
        "condition",
        "released_at",
        "reverted_at",
        "from",
        "to",
        "fault_times",
    ]
    assert ("outages" in fleet.truth) == (fleet.truth["scenario"] == "region-outage")


def test_versions_reported_by_a_crash_are_those_of_its_host_then(fleet):
    """The host row says how the host began; agent and OS installs before the crash say what became of it."""
    wrong = fleet.one(
        """
        WITH changed AS (
          SELECT host_id, kind, version, applied_at FROM install JOIN update USING (update_id)
          WHERE kind IN ('agent', 'os_patch'))
        SELECT count(*) FROM crash c JOIN host h USING (host_id)
        WHERE c.agent_version <> h.agent_version AND NOT EXISTS (FROM changed WHERE kind = 'agent'
            AND changed.host_id = c.host_id AND version = c.agent_version AND applied_at <= c.occurred_at)
           OR c.os_build <> h.os_build AND NOT EXISTS (FROM changed WHERE kind = 'os_patch'
            AND changed.host_id = c.host_id AND version = c.os_build AND applied_at <= c.occurred_at)
           OR c.os_type <> h.os_type OR c.os_version <> h.os_version"""
    )
    assert wrong == 0


def test_a_few_reports_come_twice(outage):
    assert 0 < outage.one("SELECT count(*) - count(DISTINCT crash_id) FROM crash") < 40


def test_laptops_sleep_and_servers_do_not(fleet):
    shares = dict(
        fleet.rows(
            """
            WITH life AS (
              SELECT host_id, always_on, sum(epoch(
                least(coalesce(online_until, $to), $begin::TIMESTAMPTZ) - greatest(online_from, $first))) AS
                online_s
              FROM session JOIN host USING (host_id)
              WHERE online_from < $begin AND coalesce(online_until, $to) > $first GROUP BY ALL)
            SELECT always_on, median(online_s) / 86400 FROM life GROUP BY ALL""",
            to=fleet.truth["to"],
            begin=fleet.truth["from"],
            first=_day_before(fleet.truth["from"]),
        )
    )
    assert shares[True] > 0.99
    assert 0.2 < shares[False] < 0.5


def _day_before(text: str) -> str:
    return (datetime.fromisoformat(text) - timedelta(days=1)).isoformat()
