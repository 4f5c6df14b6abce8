-- The entry of a batch in the books, one row.
SELECT
  $batch_id AS batch_id, $source AS source,
  CAST($read AS BIGINT) AS read, CAST($accepted AS BIGINT) AS accepted,
  CAST($duplicates AS BIGINT) AS duplicates, CAST($quarantined AS BIGINT) AS quarantined,
  CAST($loaded_at AS TIMESTAMPTZ) AS loaded_at,
  CAST(nullif($leans_on, []) AS VARCHAR[]) AS leans_on
