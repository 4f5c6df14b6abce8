-- Crashes beside host-time, one row per dimension (os_type, os_build, agent_version) and value, most crashes first.
-- Window and filters are those of the kept tables selected_time and selected_crashes; it reads them and host_kinds.
-- share_of_crashes, share_of_time: of the whole selection, 0 to 1; null where there is no crash, or no host-hour.
WITH timed AS (
  SELECT os_type, os_build, agent_version, sum(host_hours) AS host_hours
  FROM (
    SELECT kind, sum(epoch(online_until) - epoch(online_from)) / 3600.0 AS host_hours FROM selected_time GROUP BY kind
  ) JOIN host_kinds USING (kind)
  GROUP BY ALL
),
timed_values AS (
  SELECT dimension, value, sum(host_hours) AS host_hours
  FROM (UNPIVOT timed ON os_type, os_build, agent_version INTO NAME dimension VALUE value) GROUP BY dimension, value
),
crashed AS (SELECT host, os_type, os_build, agent_version FROM selected_crashes JOIN host_kinds USING (kind)),
crashed_values AS (
  SELECT dimension, value, count(*) AS crashes, count(DISTINCT host) AS hosts_crashed
  FROM (UNPIVOT crashed ON os_type, os_build, agent_version INTO NAME dimension VALUE value) GROUP BY dimension, value
)
SELECT
  dimension, value,
  CAST(coalesce(crashes, 0) AS BIGINT) AS crashes,
  CAST(coalesce(hosts_crashed, 0) AS BIGINT) AS hosts_crashed,
  coalesce(host_hours, 0) AS host_hours,
  coalesce(crashes, 0) / nullif(sum(crashes) OVER (PARTITION BY dimension), 0) AS share_of_crashes,
  coalesce(host_hours, 0) / nullif(sum(host_hours) OVER (PARTITION BY dimension), 0) AS share_of_time
FROM timed_values FULL JOIN crashed_values USING (dimension, value)
ORDER BY dimension, crashes DESC, host_hours DESC, value
