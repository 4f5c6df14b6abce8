-- Some records of what is put aside for a reason ($reason), at most $samples, newest first: the first $bytes bytes of each.
SELECT source, line, octet_length(raw) AS size_bytes, raw[:CAST($bytes AS BIGINT)] AS raw, known_at
FROM lake_quarantine WHERE replayed_by IS NULL AND reason = $reason
ORDER BY known_at DESC, source, line LIMIT CAST($samples AS BIGINT)
