-- The cells, one row per combination of attributes that some host has had; hosts of a cell share a baseline.
SELECT
  CAST(row_number() OVER (
    ORDER BY os_type, os_version, os_build, agent_version, model, region, ring, always_on
  ) - 1 AS INTEGER) AS cell, *
FROM (
  SELECT DISTINCT os_type, os_version, os_build, agent_version, model, region, ring, always_on FROM host_spans
) AS combined
