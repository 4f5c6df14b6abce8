-- Batches with records put aside that no replay has taken in, one row per batch, of those that readers see: whether the batch
-- is in the books or only leant on by one that is, how many records, whether our clock was put into its records at the door,
-- and when they were put aside, microseconds since 1970.
SELECT
  batch_id,
  coalesce(bool_or(is_entry), false) AS is_booked,
  count(*) AS records,
  coalesce(max(entry.source) = $stamped_source, false) AS is_stamped,
  CAST(epoch_us(max(aside.known_at)) AS BIGINT) AS put_aside_us
FROM lake_quarantine AS aside LEFT JOIN (SELECT *, true AS is_entry FROM lake_batch) AS entry USING (batch_id)
WHERE replayed_by IS NULL AND (CAST($reason AS VARCHAR) IS NULL OR reason = $reason)
  AND (is_entry OR batch_id IN (SELECT unnest(leans_on) FROM lake_batch))
GROUP BY batch_id
ORDER BY batch_id
