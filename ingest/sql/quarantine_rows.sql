-- Refused records (refused) as the quarantine keeps them, one row per record.
SELECT
  $source AS source, line, reason, raw,
  CAST($now AS TIMESTAMPTZ) AS known_at, $batch_id AS batch_id, CAST(NULL AS VARCHAR) AS replayed_by
FROM refused JOIN (__raw__) AS arrived USING (line)
ORDER BY line
