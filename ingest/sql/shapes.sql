-- Which keys the staged objects have, one row per kind and set of keys: record is null where the kind is not known.
WITH sampled AS (
  SELECT
    shape,
    CASE WHEN reason IS NULL THEN record END AS record,
    any_value(line) AS line
  FROM staged
  WHERE (reason IS NULL AND NOT is_blank) OR reason = 'unknown_record'
  GROUP BY ALL
)
SELECT sampled.shape, sampled.record, json_keys(odd_lines."text") AS names
FROM sampled JOIN odd_lines ON odd_lines.line = sampled.line
