-- What one batch put aside and no replay has taken in, one row per record.
SELECT batch_id, source, line, raw FROM lake_quarantine
WHERE batch_id = $batch_id AND replayed_by IS NULL AND (CAST($reason AS VARCHAR) IS NULL OR reason = $reason)
ORDER BY line, raw
