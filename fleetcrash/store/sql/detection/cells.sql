-- The cells, one row per combination of attributes that some host has had; hosts of a cell share a baseline.
-- Numbered in the order in which they were first known, so that the numbers stand when more become known.
SELECT
  CAST(row_number() OVER (
    ORDER BY first_known, os_type, os_version, os_build, agent_version, model, region, ring, always_on
  ) - 1 AS INTEGER) AS cell, *
FROM (
  SELECT
    os_type, os_version, os_build, agent_version, model, region, ring, always_on,
    min(greatest(valid_from, known_from)) AS first_known
  FROM known_spans
  GROUP BY os_type, os_version, os_build, agent_version, model, region, ring, always_on
) AS combined
