-- Batches in the books with records put aside that no replay has taken in, one row per batch: whether our clock was put
-- into its records at the door, and when they were put aside, microseconds since 1970.
SELECT
  batch_id,
  coalesce(max(entry.source) = $stamped_source, false) AS is_stamped,
  CAST(epoch_us(max(aside.known_at)) AS BIGINT) AS put_aside_us
FROM lake_quarantine AS aside JOIN lake_batch AS entry USING (batch_id)
WHERE replayed_by IS NULL AND (CAST($reason AS VARCHAR) IS NULL OR reason = $reason)
GROUP BY batch_id
ORDER BY batch_id
