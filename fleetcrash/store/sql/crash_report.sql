-- A crash report as it was accepted, in one row, with where it came from. $crash_id: the crash.
-- Of two reports under one name, the one that counts.
SELECT crashes.*, batches.source
FROM crashes LEFT JOIN (
  SELECT batch_id, any_value(source) AS source FROM lake_batch GROUP BY batch_id
) AS batches ON batches.batch_id = crashes.batch_id
WHERE crashes.crash_id = $crash_id
