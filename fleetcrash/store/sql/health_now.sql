-- Whether what comes in is sound, one row, cheap enough for every look at the lake.
-- read_1d, quarantined_1d: records of the batches in the day up to the newest batch, by our clock; what a replay took in since is
-- not quarantined any more. quarantined: all that are put aside. unbalanced: batches whose counts do not add up.
-- beats_1d, beats_lately: whether a heartbeat was known in the day and in the quarter of an hour up to the instant.
WITH lately AS (
  SELECT batch_id, "read" FROM lake_batch WHERE loaded_at > (SELECT max(loaded_at) FROM lake_batch) - INTERVAL 1 DAY
),
aside AS (SELECT batch_id FROM lake_quarantine WHERE replayed_by IS NULL)
SELECT
  (SELECT count(*) FROM lake_batch) AS batches,
  CAST(coalesce((SELECT sum("read") FROM lately), 0) AS BIGINT) AS read_1d,
  (SELECT count(*) FROM aside WHERE batch_id IN (SELECT batch_id FROM lately)) AS quarantined_1d,
  (SELECT count(*) FROM aside) AS quarantined,
  (SELECT count(*) FROM lake_batch WHERE "read" <> accepted + duplicates + quarantined) AS unbalanced,
  EXISTS (SELECT 1 FROM lake_heartbeat WHERE known_at > getvariable('as_of') - INTERVAL 1 DAY) AS beats_1d,
  EXISTS (SELECT 1 FROM lake_heartbeat WHERE known_at > getvariable('as_of') - INTERVAL 15 MINUTE) AS beats_lately
