-- Crashes, one row per cluster and bucket of $bucket_s seconds, counted from $since; a bucket without a crash has no row.
-- Window and filters are those of the kept table selected_crashes; it reads signed_shapes as well.
SELECT
  cluster_id,
  CAST(floor((epoch(placed_at) - epoch(CAST($since AS TIMESTAMPTZ))) / CAST($bucket_s AS DOUBLE)) AS BIGINT) AS bucket,
  count(*) AS crashes
FROM selected_crashes JOIN signed_shapes USING (shape)
GROUP BY ALL ORDER BY cluster_id, bucket
