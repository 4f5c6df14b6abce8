-- Batches in the books with records put aside that no replay has taken in, one row per batch.
SELECT DISTINCT batch_id FROM lake_quarantine SEMI JOIN lake_batch USING (batch_id)
WHERE replayed_by IS NULL AND (CAST($reason AS VARCHAR) IS NULL OR reason = $reason)
ORDER BY batch_id
