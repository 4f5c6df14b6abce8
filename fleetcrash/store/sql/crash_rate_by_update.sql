-- Crashes, hosts and host-hours online while exposed, one row per update to which a host was exposed, newest release first.
-- Window and filters are those of the kept tables selected_time and selected_crashes; it reads time_by_update and
-- crashes_by_update as well.
-- rate and rate_otherwise are per host-hour: while exposed to the update, and all other host-time of the window. Both are
-- null without host-hours. A host is exposed to many updates at once, so rows add up to more than the fleet.
WITH summed AS (
  SELECT
    (SELECT count(*) FROM selected_crashes) AS crashes,
    coalesce((SELECT sum(epoch(online_until) - epoch(online_from)) FROM selected_time), 0) / 3600.0 AS host_hours
)
SELECT
  update_id, updates.kind, updates.released_at, updates.reverted_at,
  CAST(coalesce(counted.crashes, 0) AS BIGINT) AS crashes,
  CAST(coalesce(counted.hosts_crashed, 0) AS BIGINT) AS hosts_crashed,
  CAST(coalesce(timed.hosts_exposed, 0) AS BIGINT) AS hosts_exposed,
  coalesce(timed.host_hours, 0) AS host_hours,
  coalesce(counted.crashes, 0) / nullif(timed.host_hours, 0) AS rate,
  CASE WHEN summed.host_hours - coalesce(timed.host_hours, 0) > 0.001
    THEN (summed.crashes - coalesce(counted.crashes, 0)) / (summed.host_hours - coalesce(timed.host_hours, 0))
  END AS rate_otherwise
FROM time_by_update AS timed FULL JOIN crashes_by_update AS counted USING (update_id) LEFT JOIN updates USING (update_id) CROSS JOIN summed
ORDER BY updates.released_at DESC NULLS LAST, update_id
