-- What was read and what became of it, summed over all batches, one row; null without batches.
-- unbalanced: batches whose read is not accepted + duplicates + quarantined. uncounted: batches that do not tell all four.
-- replayed: records that were quarantined and that a replay took in later.
SELECT
  count(*) AS batches,
  CAST(sum("read") AS BIGINT) AS "read", CAST(sum(accepted) AS BIGINT) AS accepted,
  CAST(sum(duplicates) AS BIGINT) AS duplicates, CAST(sum(quarantined) AS BIGINT) AS quarantined,
  count(*) FILTER ("read" <> accepted + duplicates + quarantined) AS unbalanced,
  count(*) FILTER ("read" + accepted + duplicates + quarantined IS NULL) AS uncounted,
  (SELECT count(*) FROM lake_quarantine WHERE replayed_by IS NOT NULL) AS replayed,
  min(loaded_at) AS first_loaded_at, max(loaded_at) AS last_loaded_at
FROM lake_batch
