-- Lines of the batch, one row per line that is not blank: its number, text, kind, and why it is no record of a known
-- kind (null where it is).
-- shape: hash of the object's keys, the same for lines with the same keys; shapes.sql looks at one line of each.
-- suspect: brackets and commas look as if a strict parser would say otherwise; refused_by_grammar.sql looks closer.
CREATE OR REPLACE TEMP TABLE staged AS
WITH decoded AS (
  SELECT
    line,
    octet_length(bytes) > $longest AS is_long,
    CASE WHEN octet_length(bytes) <= $longest THEN coalesce("text", TRY(decode(bytes))) END AS "text"
  FROM arrived
),
parsed AS (
  SELECT line, is_long, "text", coalesce(json_valid("text"), false) AS valid
  FROM decoded
  WHERE "text" IS NULL OR NOT regexp_full_match("text", '[ \t\r\n]*')
),
keyed AS (
  SELECT
    *,
    CASE WHEN valid THEN json_type("text") = 'OBJECT' END AS is_object,
    CASE WHEN valid THEN hash(json_keys("text")) END AS shape,
    CASE WHEN valid THEN json_extract_string("text", '$.record') END AS record,
    valid AND (
      strlen("text") * 2 - strlen(replace("text", '[', '')) - strlen(replace("text", '{', '')) > 64
      OR regexp_matches("text", ',\s*[}\]]')
    ) AS suspect
  FROM parsed
)
SELECT
  line, "text", record, shape, suspect,
  CASE
    WHEN is_long THEN 'too_long:line'
    WHEN NOT valid THEN 'not_json'
    WHEN NOT is_object THEN 'not_an_object'
    WHEN record IS NULL OR NOT list_contains($kinds, record) THEN 'unknown_record'
  END AS reason
FROM keyed
