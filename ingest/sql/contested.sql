-- Sound rows of one kind whose key another row of the batch or of the lake may share, one row per hash of the key.
-- Hashes only narrow the search; standings.sql compares the keys themselves, among the rows that have them (claims).
SELECT key_hash, bool_or(in_lake) AS in_lake
FROM (
  SELECT key_hash, false AS in_lake FROM __judged__ WHERE reason IS NULL GROUP BY key_hash HAVING count(*) > 1
  UNION ALL
  SELECT judged.key_hash, true
  FROM __judged__ AS judged JOIN __lake__ AS stored ON __same_key__
  WHERE judged.reason IS NULL AND stored.batch_id IS DISTINCT FROM $batch_id
)
GROUP BY key_hash
