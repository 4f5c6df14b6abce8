-- Crashes and hosts over time, one row per cluster and bucket of $bucket_s seconds in which there was a crash.
-- $since, $until: half-open, UTC; buckets are counted from 1970. $cluster_ids: a list; null or an empty list is every
-- cluster. Reads the kept table clustered_crashes.
SELECT
  cluster_id,
  to_timestamp(floor(epoch(placed_at) / CAST($bucket_s AS DOUBLE)) * CAST($bucket_s AS DOUBLE)) AS bucket_at,
  count(*) AS crashes,
  count(DISTINCT host_id) AS hosts
FROM clustered_crashes
WHERE placed_at >= CAST($since AS TIMESTAMPTZ) AND placed_at < CAST($until AS TIMESTAMPTZ)
  AND (
    coalesce(len(CAST($cluster_ids AS VARCHAR[])), 0) = 0
    OR list_contains(CAST($cluster_ids AS VARCHAR[]), cluster_id)
  )
GROUP BY cluster_id, bucket_at
ORDER BY cluster_id, bucket_at
