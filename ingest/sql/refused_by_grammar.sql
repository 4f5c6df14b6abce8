-- Refuses the suspect lines that no strict parser of JSON would take, or only one that nests without bound: a comma
-- before a closing bracket, more than 64 levels. Strings are emptied first; brackets inside them mean nothing.
UPDATE staged SET reason = 'not_json' WHERE line IN (
  WITH bare AS (
    SELECT line, regexp_replace("text", '"(?:[^"\\]|\\.)*"', '""', 'g') AS "text"
    FROM odd_lines SEMI JOIN (SELECT line FROM staged WHERE suspect) USING (line)
  ),
  brackets AS (
    SELECT line, unnest(string_split(regexp_replace("text", '[^\[\]{}]+', '', 'g'), '')) AS bracket,
      unnest(range(length(regexp_replace("text", '[^\[\]{}]+', '', 'g')))) AS place
    FROM bare
  ),
  nested AS (
    SELECT line, sum(CASE WHEN bracket IN ('[', '{') THEN 1 ELSE -1 END) OVER (PARTITION BY line ORDER BY place) AS depth
    FROM brackets
  )
  SELECT line FROM bare WHERE regexp_matches("text", ',\s*[}\]]')
  UNION
  SELECT line FROM nested WHERE depth > 64
)
