-- Where some host of each system tells its presence, nothing else is taken for a sighting of a host.
SELECT
  CAST(NULL AS VARCHAR) AS host_id, CAST(NULL AS TIMESTAMPTZ) AS seen_at,
  CAST(NULL AS TIMESTAMPTZ) AS known_at, CAST(NULL AS TIMESTAMPTZ) AS over_known
WHERE false
