-- Crashes and hosts of each cluster, one row per cluster, most hosts first, then by id.
-- $cluster_id: one cluster alone; null is every one.
-- hosts_last_hour: hosts that crashed in the hour before the instant. host_hours_hit_before: pairs of host and hour before
-- that hour, back to $since (a host in a boot loop counts once an hour). first_in_day, last_before_day: the crashes around
-- the instant 24 hours ago, null without one.
-- Reads the kept tables shaped_crashes and signed_shapes.
WITH timed AS (
  SELECT
    *,
    placed_at > getvariable('as_of') - INTERVAL 24 HOUR AS in_day,
    placed_at > getvariable('as_of') - INTERVAL 1 HOUR AS in_hour,
    floor((epoch(getvariable('as_of')) - epoch(placed_at)) / 3600) AS hours_ago
  FROM shaped_crashes JOIN signed_shapes USING (shape)
  WHERE $cluster_id IS NULL OR cluster_id = $cluster_id
)
SELECT
  cluster_id,
  count(*) AS crashes,
  count(DISTINCT host) AS hosts,
  min(placed_at) AS first_seen,
  max(placed_at) AS last_seen,
  min(placed_at) FILTER (in_day) AS first_in_day,
  max(placed_at) FILTER (NOT in_day) AS last_before_day,
  count(DISTINCT host) FILTER (in_hour) AS hosts_last_hour,
  count(DISTINCT hash(host, hours_ago)) FILTER (NOT in_hour AND placed_at >= CAST($since AS TIMESTAMPTZ))
    AS host_hours_hit_before
FROM timed
GROUP BY cluster_id
ORDER BY hosts DESC, cluster_id
