-- Staged records of $record_kind, one row per record, parsed once into the JSON text of each field, or where the rule of
-- the field tells a text from anything else, into its text ($structure).
SELECT * EXCLUDE (parsed), __repeats__ AS repeats
FROM (
  SELECT line, parsed, __fields__
  FROM (
    SELECT line, json_transform("text", $structure) AS parsed
    FROM odd_lines
    -- Mostly a batch is of one kind and few lines are left out: the lesser side to look up.
    ANTI JOIN (SELECT line FROM staged WHERE record IS DISTINCT FROM $record_kind OR reason IS NOT NULL) USING (line)
  )
)
