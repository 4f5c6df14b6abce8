"""What the bad update does, and only that."""

from __future__ import annotations

import pytest

from sample_data.simulator import simulate
from tests.sample_data.conftest import Simulated
from tests.sample_data.test_contract import broken

OFFSET = 0xE14ED
FAULTS = f"(FROM crash WHERE module = 'csagent.sys' AND module_offset = {OFFSET})"


def test_only_hosts_that_have_the_update_and_match_crash_in_its_way(outage):
    strangers = outage.one(
        f"""
        SELECT count(*) FROM {FAULTS} f ANTI JOIN install i ON i.host_id = f.host_id
          AND i.update_id = $guilty AND i.applied_at < f.occurred_at
        WHERE received_at < $to""",
        guilty=outage.truth["guilty"],
        to=outage.truth["to"],
    )
    # The acknowledgement of a host that crashed at once may be hours late, or not have come by the end.
    assert strangers <= 0.02 * outage.one(f"SELECT count(*) FROM {FAULTS}")
    assert outage.rows(f"SELECT DISTINCT os_type FROM {FAULTS}") == [("windows",)]
    agents = {version for (version,) in outage.rows(f"SELECT DISTINCT agent_version FROM {FAULTS}")}
    assert agents
    assert all(int(version.split(".")[1]) >= 11 for version in agents)


def test_nothing_of_the_fault_happens_before_the_release(outage):
    assert outage.one(f"SELECT min(occurred_at) > $at FROM {FAULTS}", at=outage.truth["released_at"])
    assert min(outage.truth["fault_times"]) > outage.truth["released_at"]


def test_nearly_every_exposed_host_that_matches_is_struck_within_minutes(outage):
    exposed = outage.one(
        """
        SELECT count(*) FROM install JOIN host USING (host_id)
        WHERE update_id = $guilty AND action = 'installed' AND agent_version NOT LIKE '7.10.%'""",
        guilty=outage.truth["guilty"],
    )
    assert 0.9 < len(outage.truth["fault_times"]) / exposed <= 1.02
    delay = outage.one(
        f"""
        SELECT quantile_cont(epoch(first - applied_at), 0.75)
        FROM (SELECT host_id, min(occurred_at) AS first FROM {FAULTS} WHERE time_quality = 'exact' GROUP BY
        ALL)
        JOIN install USING (host_id) WHERE update_id = $guilty AND action = 'installed'""",
        guilty=outage.truth["guilty"],
    )
    assert delay < 120


def test_half_of_the_hosts_online_have_the_update_within_about_two_minutes(outage):
    median = outage.one(
        """
        SELECT median(epoch(applied_at - $released::TIMESTAMPTZ)) FROM install SEMI JOIN
          (FROM session WHERE online_from < $released AND (online_until IS NULL OR online_until > $released))
          USING (host_id) WHERE update_id = $guilty AND action = 'installed'""",
        released=outage.truth["released_at"],
        guilty=outage.truth["guilty"],
    )
    assert 60 < median < 150


def test_a_share_of_the_struck_hosts_falls_silent_for_hours(outage):
    """Servers that were online before the release and are not heard of between 05:00 and the withdrawal."""
    online = """
        (SELECT DISTINCT host_id FROM session JOIN host USING (host_id)
         WHERE always_on AND online_from < ${until}::TIMESTAMPTZ
           AND (online_until IS NULL OR online_until > ${since}::TIMESTAMPTZ))"""
    before, heard = (online.replace("{", name).replace("}", "") for name in ("before_", "after_"))
    silent = outage.one(
        f"SELECT count(*) FROM {before} ANTI JOIN {heard} USING (host_id)",
        before_since=outage.truth["released_at"],
        before_until=outage.truth["released_at"],
        after_since="2024-07-19T05:00:00Z",
        after_until=outage.truth["reverted_at"],
    )
    struck = len(outage.truth["fault_times"])
    assert 0.05 * struck < silent < 0.6 * struck


def test_hosts_recover_after_the_withdrawal_and_not_all_by_the_end(outage):
    back = """
        SELECT count(*) FROM (SELECT host_id, min(occurred_at) AS first FROM {faults} GROUP BY ALL) f
        JOIN session s ON s.host_id = f.host_id AND s.online_from > f.first
          AND coalesce(s.online_until, $end) - s.online_from >= INTERVAL 30 MINUTE AND s.online_from < $by"""
    counts = [
        outage.one(back.format(faults=FAULTS), end="2024-07-20T00:00:00Z", by=f"2024-07-19T{hour}:00:00Z")
        for hour in ("05", "08", "12", "20")
    ]
    assert counts[0] == 0
    assert counts == sorted(set(counts))
    assert counts[-1] > 0.5 * len(outage.truth["fault_times"])
    # Those who have not been heard of by the end: their fault is in the truth, and in no record.
    assert outage.one(f"SELECT count(DISTINCT host_id) FROM {FAULTS}") < len(outage.truth["fault_times"])


def test_repair_is_the_next_content_or_the_removal_of_the_bad_one(outage):
    unexplained = outage.one(
        f"""
        WITH back AS (
          SELECT s.host_id, min(s.online_from) AS since
          FROM (SELECT host_id, min(occurred_at) AS first FROM {FAULTS} WHERE time_quality = 'exact' GROUP BY
          ALL) f JOIN session s ON s.host_id = f.host_id AND s.online_from > f.first
            AND coalesce(s.online_until, $to) - s.online_from >= INTERVAL 30 MINUTE GROUP BY ALL)
        SELECT count(*) FROM back ANTI JOIN install i ON i.host_id = back.host_id
          AND i.applied_at BETWEEN since AND since + INTERVAL 40 SECOND
          AND (i.action = 'removed' OR i.update_id = 'content-291-33')""",
        to=outage.truth["to"],
    )
    # Acknowledgements that are late or did not arrive by the end.
    assert unexplained < 0.02 * len(outage.truth["fault_times"])


def test_reports_of_looping_hosts_wait_for_a_boot_that_is_heard(outage):
    minutes = outage.one(f"SELECT quantile_cont(epoch(received_at - occurred_at) / 60, [0.1, 0.9]) FROM {FAULTS}")
    assert minutes[0] < 3
    assert minutes[1] > 60


def test_innocent_updates_go_out_within_an_hour_before_and_after(outage):
    before, after = outage.rows(
        """
        SELECT count(*) FILTER (released_at BETWEEN $at::TIMESTAMPTZ - INTERVAL 1 HOUR AND $at),
          count(*) FILTER (released_at > $at AND released_at < $at::TIMESTAMPTZ + INTERVAL 1 HOUR)
        FROM update WHERE update_id <> $guilty""",
        at=outage.truth["released_at"],
        guilty=outage.truth["guilty"],
    )[0]
    assert before >= 1
    assert after >= 1


def test_the_truth_names_the_update(outage):
    assert outage.truth["guilty"] == "content-291-32"
    assert outage.truth["guilty_kind"] == "content"
    assert outage.truth["condition"] == {"os_type": "windows", "agent_version": ">=7.11"}
    assert outage.truth["released_at"] == "2024-07-19T04:09:00.000000Z"
    assert outage.truth["reverted_at"] == "2024-07-19T05:27:00.000000Z"


def test_quiet_days_have_no_fault(simulated, seed):
    quiet = simulated("quiet", seed)
    assert [quiet.truth[key] for key in ("guilty", "guilty_kind", "condition", "released_at")] == [None] * 4
    assert quiet.truth["fault_times"] == []
    assert quiet.one(f"SELECT count(*) FROM {FAULTS}") == 0
    assert quiet.one("SELECT count(*) FROM update WHERE reverted_at IS NOT NULL") == 0


@pytest.mark.slow
def test_twenty_thousand_quiet_hosts_crash_ten_to_thirty_times_a_day(tmp_path):
    summary = simulate("quiet", tmp_path, seed=4)
    assert 3 * 8 < summary.records["crash"] < 3 * 30


SLOW = """
title = "an agent that crashes some hosts, hours after the upgrade"
judged_day = 2024-07-10
[[updates]]
name = "bad"
kind = "{kind}"
channel = "{channel}"
version = "{version}"
at = 02:00:00
where = {{ os_type = "windows"{where} }}
rollout = {rollout}
[[faults]]
update = "bad"
condition = {{ {condition} }}
probability = 0.5
after = {after}
module = "bad.sys"
offset = 4096
{more}
"""


@pytest.mark.variants
@pytest.mark.parametrize(
    "changes",
    [
        {"kind": "agent", "version": "7.18.1", "condition": "region = 'us-east'"},
        {"kind": "os_patch", "version": "22631.3958", "where": ", os_version = '10.0.22631'"},
        {"kind": "driver", "channel": "nic", "after": "{ by = 'next_boot', median_s = 30 }"},
        {"kind": "content", "channel": "991", "more": "domain = 'hang'\nrecurs = 0.5"},
        {"kind": "content", "channel": "991", "more": "domain = 'user'"},
        {"kind": "content", "channel": "991", "more": "effect = 'silence'"},
        {
            "kind": "policy",
            "channel": "prevention",
            "rollout": "{ by = 'staged', stages = ["
            "{ ring = 'canary', after_min = 0 }, { ring = 'early', after_min = 60 }] }",
        },
    ],
    ids=["agent", "os_patch", "next_boot", "hang", "user", "silence", "staged"],
)
def test_other_faults_are_only_another_toml(tmp_path, changes):
    usual = {
        "version": "7",
        "channel": "",
        "where": "",
        "rollout": "{ by = 'push' }",
        "condition": "",
        "after": "{ by = 'exponential', median_s = 3600 }",
        "more": "",
    }
    path = tmp_path / "other.toml"
    path.write_text(SLOW.format(**{**usual, **changes}))
    summary = simulate(path, tmp_path / "out", hosts=3000, seed=5, days=2)
    made = Simulated(tmp_path / "out")
    assert summary.guilty == made.truth["guilty"] is not None
    assert summary.struck > 0
    hosts = made.one("SELECT count(DISTINCT host_id) FROM crash WHERE module = 'bad.sys'")
    assert (hosts == 0) if "silence" in changes.get("more", "") else (0 < hosts <= summary.struck)
    assert broken(made) == []


NO_UPDATE = """
title = "a region loses power, and another one's reports are held back; no update is guilty"
judged_day = 2024-07-10
[[outages]]
where = { region = "eu-west" }
at = 10:00:00
jitter_min = 20
lasts_min = [5, 40]
crash = 0.3
[[backlogs]]
where = { region = "us-east" }
at = 09:00:00
lasts_min = 180
"""


def test_an_outage_and_a_backlog_follow_no_update(tmp_path):
    path = tmp_path / "region.toml"
    path.write_text(NO_UPDATE)
    assert simulate(path, tmp_path / "out", hosts=3000, seed=5, days=2).guilty is None
    made = Simulated(tmp_path / "out")
    regions = dict(
        made.rows(
            """SELECT region, count(*) FROM crash JOIN host USING (host_id)
            WHERE occurred_at BETWEEN '2024-07-10T09:30Z' AND '2024-07-10T11:30Z' GROUP BY ALL"""
        )
    )
    assert regions["eu-west"] > 20 * sum(count for region, count in regions.items() if region != "eu-west")
    late = made.one(
        """SELECT count(*) FROM install JOIN host USING (host_id)
        WHERE region = 'us-east' AND received_at BETWEEN '2024-07-10T09:00Z' AND '2024-07-10T11:59:59Z'"""
    )
    assert late == 0
    assert broken(made) == []


TWO_FAULTS = """
title = "two updates in a row, both guilty; the second one only beside the first"
judged_day = 2024-07-10
[[updates]]
name = "first"
kind = "content"
channel = "991"
at = 09:00:00
rollout = { by = "push" }
[[updates]]
name = "second"
kind = "policy"
channel = "prevention"
follows = "first"
by_min = 30
rollout = { by = "push" }
[[faults]]
update = "first"
condition = { os_type = "darwin" }
probability = 0.5
after = { by = "exponential", median_s = 3600 }
module = "one.kext"
[[faults]]
update = "second"
condition = { os_type = "windows", with_update = "first" }
probability = 0.1
after = { by = "exponential", median_s = 3600 }
module = "two.sys"
"""


def test_two_faults_are_both_in_the_truth(tmp_path):
    path = tmp_path / "two.toml"
    path.write_text(TWO_FAULTS)
    simulate(path, tmp_path / "out", hosts=3000, seed=5, days=1)
    made = Simulated(tmp_path / "out")
    first, second = made.truth["faults"]
    assert made.truth["guilty"] == first["guilty"]
    assert second["condition"]["with_update"] == first["guilty"]
    assert made.rows("SELECT DISTINCT os_type, module FROM crash WHERE module IN ('one.kext', 'two.sys')")
    strangers = made.one("SELECT count(*) FROM crash WHERE (module = 'one.kext') AND os_type <> 'darwin'")
    assert strangers == 0


REMOVED = """
title = "an update is withdrawn, and hosts remove it"
judged_day = 2024-07-10
[[updates]]
name = "bad"
kind = "content"
channel = "991"
at = 06:00:00
reverted_after_min = 120
rollout = { by = "push" }
removal = { by = "exponential", median_s = 3600 }
[[faults]]
update = "bad"
condition = { os_type = "windows" }
probability = 0.6
after = { by = "exponential", median_s = 7200 }
module = "bad.sys"
recurs = 0.9
"""


def test_hosts_remove_what_was_withdrawn_and_crash_of_it_no_more(tmp_path):
    path = tmp_path / "removed.toml"
    path.write_text(REMOVED)
    simulate(path, tmp_path / "out", hosts=1500, seed=5, days=1)
    made = Simulated(tmp_path / "out")
    reverted = made.truth["reverted_at"]
    half = made.one(
        "SELECT median(epoch(applied_at - $at::TIMESTAMPTZ)) FROM install WHERE action = 'removed'", at=reverted
    )
    assert 3000 < half < 7200  # those that sleep do it later
    count = "SELECT count(*) FROM install WHERE update_id = $guilty AND action = $action"
    installed, removed = (
        made.one(count, guilty=made.truth["guilty"], action=action) for action in ("installed", "removed")
    )
    assert 0.5 * installed < removed < installed
    after = made.one(
        """SELECT count(*) FROM crash JOIN install USING (host_id) WHERE module = 'bad.sys' AND action = 'removed'
        AND time_quality = 'exact' AND occurred_at > applied_at"""
    )
    assert after == 0
    early, late = (
        made.one("SELECT count(*) FROM crash WHERE module = 'bad.sys' AND occurred_at BETWEEN $a AND $b", a=a, b=b)
        for a, b in ((made.truth["released_at"], reverted), ("2024-07-10T16:00:00Z", "2024-07-10T18:00:00Z"))
    )
    assert early > 100
    assert late < 0.2 * early
    assert broken(made) == []
