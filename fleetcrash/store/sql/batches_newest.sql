-- The newest batches, one row per batch, newest first, at most $most: where they came from and what became of their records.
-- batches: how many there are in all.
SELECT
  loaded_at, source, "read", accepted, duplicates, quarantined, batch_id, count(*) OVER () AS batches
FROM lake_batch ORDER BY loaded_at DESC NULLS LAST, batch_id LIMIT CAST($most AS BIGINT)
