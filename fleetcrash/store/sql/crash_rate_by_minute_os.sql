-- Crashes and host-hours online, one row per bucket of $bucket_s seconds and OS.
-- $since, $until: half-open, UTC, by where the analysis places a crash; buckets start at $since, the last may be short.
-- A bucket in which hosts were online and none crashed has crashes = 0. A bucket without a row is one without data: nobody
-- was known to be online and nobody crashed. rate is per host-hour, null where there are crashes but no host-hours.
-- Reads the kept tables selected_edges, of the same buckets, and host_kinds.
WITH summed AS (
  SELECT os_type, bucket, sum(step) AS step, sum(into_s) AS into_s, sum(crashes) AS crashes
  FROM selected_edges JOIN host_kinds USING (kind) GROUP BY os_type, bucket
),
gridded AS (
  SELECT
    os_type, bucket, bucket * $bucket_s AS from_s,
    least($bucket_s, epoch(CAST($until AS TIMESTAMPTZ)) - epoch(CAST($since AS TIMESTAMPTZ)) - bucket * $bucket_s) AS width_s
  FROM range(CAST(
    ceil((epoch(CAST($until AS TIMESTAMPTZ)) - epoch(CAST($since AS TIMESTAMPTZ))) / $bucket_s) AS BIGINT
  )) AS buckets(bucket) CROSS JOIN (SELECT DISTINCT os_type FROM summed)
),
carried AS (
  -- Who came in a bucket is counted for all of it, less what had passed of it by then.
  SELECT
    os_type, bucket, from_s, coalesce(crashes, 0) AS crashes,
    width_s * coalesce(sum(step) OVER (PARTITION BY os_type ORDER BY bucket), 0) - coalesce(into_s, 0) AS host_s
  FROM gridded LEFT JOIN summed USING (os_type, bucket)
)
SELECT
  CAST($since AS TIMESTAMPTZ) + to_seconds(from_s) AS bucket_start,
  os_type,
  CAST(crashes AS BIGINT) AS crashes,
  CASE WHEN host_s > 0.001 THEN host_s / 3600.0 ELSE 0 END AS host_hours,
  CASE WHEN host_s > 0.001 THEN crashes * 3600.0 / host_s END AS rate
FROM carried WHERE host_s > 0.001 OR crashes > 0
ORDER BY bucket_start, os_type
