-- Crashes and host-hours online in the time that a baseline looks back to, one row per hour in which hosts were online or
-- crashed.
-- $since, $until: half-open, UTC; hours start at $since, the last may be short.
-- Reads earlier_edges, which is kept as selected_edges is, by hour of that window.
WITH summed AS (
  SELECT bucket, sum(step) AS step, sum(into_s) AS into_s, sum(crashes) AS crashes FROM earlier_edges GROUP BY bucket
),
gridded AS (
  SELECT
    bucket, bucket * 3600 AS from_s,
    least(3600, epoch(CAST($until AS TIMESTAMPTZ)) - epoch(CAST($since AS TIMESTAMPTZ)) - bucket * 3600) AS width_s
  FROM range(CAST(
    ceil((epoch(CAST($until AS TIMESTAMPTZ)) - epoch(CAST($since AS TIMESTAMPTZ))) / 3600) AS BIGINT
  )) AS buckets(bucket)
),
carried AS (
  -- Who came in an hour is counted for all of it, less what had passed of it by then.
  SELECT
    from_s, coalesce(crashes, 0) AS crashes,
    width_s * coalesce(sum(step) OVER (ORDER BY bucket), 0) - coalesce(into_s, 0) AS host_s
  FROM gridded LEFT JOIN summed USING (bucket)
)
SELECT
  CAST($since AS TIMESTAMPTZ) + to_seconds(from_s) AS bucket_start,
  CAST(crashes AS BIGINT) AS crashes,
  CASE WHEN host_s > 0.001 THEN host_s / 3600.0 ELSE 0 END AS host_hours
FROM carried WHERE host_s > 0.001 OR crashes > 0
ORDER BY bucket_start
