-- Rows of one kind as judged and stamped by our clock, one row per record: what says what stands of its subject already
-- carries the times of the row that said it first, and so is that row's duplicate. What stands is what was known last
-- before it; a row that says something else in between is a change, and so is the way back from it.
-- __subject__: columns that name what a row is about. __said__: all columns but received_at. __later__: of rows known at
-- one time, the order in which the views let one stand, that one last.
-- $batch_id: rows of an earlier try of this very batch are no others.
WITH told AS (
  SELECT line, received_at, known_at, key_hash, __subject__, struct_pack(__said__) AS said
  FROM __judged__ WHERE reason IS NULL
  UNION ALL
  SELECT NULL, received_at, known_at, hash(__key__), __subject__, struct_pack(__said__)
  FROM __lake__ AS stored
  WHERE batch_id IS DISTINCT FROM $batch_id
    AND EXISTS (SELECT 1 FROM __judged__ AS judged WHERE reason IS NULL AND __same_subject__)
),
compared AS (
  SELECT *, said IS DISTINCT FROM lag(said) OVER (PARTITION BY __subject__ ORDER BY known_at, __later__, line) AS is_change
  FROM told
),
followed AS (
  SELECT
    line,
    last_value(CASE WHEN is_change THEN struct_pack(received_at, known_at, key_hash) END IGNORE NULLS) OVER (
      PARTITION BY __subject__ ORDER BY known_at, __later__, line ROWS UNBOUNDED PRECEDING
    ) AS first
  FROM compared
)
SELECT judged.* REPLACE (
  CASE WHEN reason IS NULL THEN first.received_at ELSE received_at END AS received_at,
  CASE WHEN reason IS NULL THEN first.known_at ELSE known_at END AS known_at,
  CASE WHEN reason IS NULL THEN first.key_hash ELSE key_hash END AS key_hash
)
FROM __judged__ AS judged LEFT JOIN followed USING (line)
ORDER BY line
