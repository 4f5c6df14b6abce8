-- Crashes, hosts and host-hours online, one row per agent version, most crashes per host-hour first.
-- Window and filters are those of the kept tables selected_time and selected_crashes; it reads them and host_kinds.
-- rate is per host-hour, null where there are crashes but no host-hours.
WITH timed AS (
  SELECT
    agent_version,
    count(DISTINCT host) AS hosts_online,
    sum(epoch(online_until) - epoch(online_from)) / 3600.0 AS host_hours
  FROM selected_time JOIN host_kinds USING (kind) GROUP BY agent_version
),
counted AS (
  SELECT agent_version, count(*) AS crashes, count(DISTINCT host) AS hosts_crashed
  FROM selected_crashes JOIN host_kinds USING (kind) GROUP BY agent_version
)
SELECT
  agent_version,
  CAST(coalesce(crashes, 0) AS BIGINT) AS crashes,
  CAST(coalesce(hosts_crashed, 0) AS BIGINT) AS hosts_crashed,
  CAST(coalesce(hosts_online, 0) AS BIGINT) AS hosts_online,
  coalesce(host_hours, 0) AS host_hours,
  coalesce(crashes, 0) / nullif(host_hours, 0) AS rate
FROM timed FULL JOIN counted USING (agent_version)
ORDER BY rate DESC NULLS LAST, crashes DESC, agent_version
