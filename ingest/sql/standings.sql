-- Contested rows of one kind, one row per record: whether it is new to the lake, whether it is to be
-- stored, and the batches of the lake that hold it.
-- Of records with one key the earliest known stands, then the lesser by its JSON, as the views read them. One that
-- would stand before what the lake holds is a duplicate, but is stored: else the order of loading would decide.
-- $batch_id: rows of an earlier try of this very batch are no others.
CREATE OR REPLACE TEMP TABLE standings AS
WITH claimed AS (SELECT line, __key__, __standing__ AS standing FROM claims WHERE reason IS NULL),
ranked AS (
  SELECT *, row_number() OVER (PARTITION BY __key__ ORDER BY standing, line) AS place FROM claimed
),
held AS (
  SELECT __key__, min(__standing__) AS standing, array_agg(DISTINCT batch_id) AS batches
  FROM __lake__ AS judged
  WHERE batch_id IS DISTINCT FROM $batch_id
    AND EXISTS (SELECT 1 FROM ranked AS stored WHERE __same_key__)
  GROUP BY ALL
)
SELECT
  line,
  place = 1 AND stored.standing IS NULL AS is_new,
  place = 1 AND (stored.standing IS NULL OR judged.standing < stored.standing) AS is_stored,
  stored.batches AS leans_on
FROM ranked AS judged LEFT JOIN held AS stored ON __same_key__
