-- Staged records of $record_kind, one row per record, parsed once into the JSON text of each field ($structure).
SELECT *, __repeats__ AS repeats
FROM (
  SELECT line, parsed, __fields__
  FROM (
    SELECT line, json_transform("text", $structure) AS parsed
    FROM staged WHERE record = $record_kind AND reason IS NULL
  )
)
