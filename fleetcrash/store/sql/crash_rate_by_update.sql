-- Crashes, hosts and host-hours online while exposed, one row per update to which a host was exposed, newest release first.
-- Window and filters are those of the kept tables selected_time and selected_crashes; it reads time_by_update,
-- exposed_crashes and exposed_updates as well.
-- rate and rate_otherwise are per host-hour: while exposed to the update, and all other host-time of the window. Both are
-- null without host-hours. A host is exposed to many updates at once, so rows add up to more than the fleet.
WITH counted AS (
  SELECT update_number, count(*) AS crashes, count(DISTINCT host) AS hosts_crashed
  FROM exposed_crashes SEMI JOIN selected_crashes USING (place) GROUP BY update_number
),
named AS (SELECT update_id, crashes, hosts_crashed FROM counted JOIN exposed_updates USING (update_number)),
summed AS (
  SELECT
    (SELECT count(*) FROM selected_crashes) AS crashes,
    coalesce((SELECT sum(epoch(online_until) - epoch(online_from)) FROM selected_time), 0) / 3600.0 AS host_hours
)
SELECT
  update_id, updates.kind, updates.released_at, updates.reverted_at,
  CAST(coalesce(named.crashes, 0) AS BIGINT) AS crashes,
  CAST(coalesce(named.hosts_crashed, 0) AS BIGINT) AS hosts_crashed,
  CAST(coalesce(timed.hosts_exposed, 0) AS BIGINT) AS hosts_exposed,
  coalesce(timed.host_hours, 0) AS host_hours,
  coalesce(named.crashes, 0) / nullif(timed.host_hours, 0) AS rate,
  CASE WHEN summed.host_hours - coalesce(timed.host_hours, 0) > 0.001
    THEN (summed.crashes - coalesce(named.crashes, 0)) / (summed.host_hours - coalesce(timed.host_hours, 0))
  END AS rate_otherwise
FROM time_by_update AS timed FULL JOIN named USING (update_id) LEFT JOIN updates USING (update_id) CROSS JOIN summed
ORDER BY updates.released_at DESC NULLS LAST, update_id
