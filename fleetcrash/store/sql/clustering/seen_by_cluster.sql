-- When each cluster was seen, of all that is known, one row per cluster.
-- $cluster_id: one cluster alone; null is every one.
-- hosts_last_hour: hosts that crashed in the hour before the instant. host_hours_hit_before: pairs of host and hour before
-- that hour, back to $since (a host in a boot loop counts once an hour). first_in_day, last_before_day: the crashes around
-- the instant 24 hours ago, null without one.
-- Reads the kept tables shaped_crashes, shapes_seen and signed_shapes.
WITH asked AS (
  SELECT shape, cluster_id FROM signed_shapes WHERE $cluster_id IS NULL OR cluster_id = $cluster_id
),
seen AS (
  SELECT
    cluster_id, min(first_seen) AS first_seen, min(first_in_day) AS first_in_day, max(last_before_day) AS last_before_day
  FROM shapes_seen JOIN asked USING (shape) GROUP BY cluster_id
),
hit AS (
  SELECT DISTINCT
    cluster_id,
    placed_at > getvariable('as_of') - INTERVAL 1 HOUR AS in_hour,
    hash(host, floor((epoch(getvariable('as_of')) - epoch(placed_at)) / 3600)) AS host_hour
  FROM shaped_crashes JOIN asked USING (shape)
  WHERE placed_at >= least(CAST($since AS TIMESTAMPTZ), getvariable('as_of') - INTERVAL 1 HOUR)
    AND (placed_at >= CAST($since AS TIMESTAMPTZ) OR placed_at > getvariable('as_of') - INTERVAL 1 HOUR)
),
counted AS (
  SELECT
    cluster_id,
    count(*) FILTER (in_hour) AS hosts_last_hour,
    count(*) FILTER (NOT in_hour) AS host_hours_hit_before
  FROM hit GROUP BY cluster_id
)
SELECT
  seen.*,
  CAST(coalesce(counted.hosts_last_hour, 0) AS BIGINT) AS hosts_last_hour,
  CAST(coalesce(counted.host_hours_hit_before, 0) AS BIGINT) AS host_hours_hit_before
FROM seen LEFT JOIN counted USING (cluster_id)
ORDER BY cluster_id
