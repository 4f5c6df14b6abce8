-- Odd lines of the batch, one row per line: its number, the kind that it says it is, and why it is no record of a known kind
-- (null where it is, and where the line is blank). The text stays in odd_lines, which fields_of_lines.sql reads.
-- shape: hash of the object's keys, the same for lines with the same keys; shapes.sql looks at one line of each.
CREATE OR REPLACE TEMP TABLE staged AS
WITH decoded AS (
  SELECT
    line,
    octet_length(bytes) > $longest AS is_long,
    CASE WHEN octet_length(bytes) <= $longest THEN "text" END AS "text"
  FROM odd_lines
),
parsed AS (
  SELECT
    line, is_long, "text",
    coalesce(regexp_full_match("text", '[ \t\r\n]*'), false) AS is_blank,
    coalesce(json_valid("text") AND NOT has_a_comma_too_many("text") AND NOT nests_deeper("text", 64), false) AS valid
  FROM decoded
),
keyed AS (
  SELECT
    *,
    CASE WHEN valid THEN regexp_matches("text", '^[ \t\r\n]*\{') END AS is_object,
    CASE WHEN valid THEN hash(json_keys("text")) END AS shape,
    -- Most senders name the kind first; only where they do not is the object looked through.
    CASE WHEN valid THEN coalesce(
      nullif(regexp_extract("text", '^[ \t\r\n]*\{[ \t\r\n]*"record"[ \t\r\n]*:[ \t\r\n]*"([a-z]+)"', 1), ''),
      json_extract_string("text", '$.record')
    ) END AS record
  FROM parsed
)
SELECT
  line, is_blank, record, shape,
  CASE
    WHEN is_blank THEN NULL
    WHEN is_long THEN 'too_long:line'
    WHEN NOT valid THEN 'not_json'
    WHEN NOT is_object THEN 'not_an_object'
    WHEN record IS NULL OR NOT list_contains($kinds, record) THEN 'unknown_record'
  END AS reason
FROM keyed
