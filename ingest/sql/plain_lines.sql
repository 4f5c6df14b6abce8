-- Lines of one kind that are plain, one row per record; see plain_lines.py. __strings__ and __marks__ are those that the
-- values account for; the name and the value of "record" make two more strings, its brace one more mark.
-- Most lines that are no JSON are cut short: they end before the brace, and are left out before the parser stops at them.
SELECT line, false AS repeats, __fields__
FROM (
  SELECT line, quotes, marks, __values__
  FROM (
    SELECT line, quotes, marks, TRY(json_transform("text", $structure)) AS parsed
    FROM arrived
    WHERE (starts_with("text", $compact) OR starts_with("text", $spaced))
      AND (ends_with("text", '}' || chr(10)) OR ends_with("text", '}' || chr(13) || chr(10)))
      AND strlen("text") <= $longest
      AND NOT contains("text", '\u0000')
  )
)
WHERE quotes = 2 * (2 + __strings__) AND marks = 1 + __marks__
