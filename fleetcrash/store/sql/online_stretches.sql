-- Stretches online of hosts whose OS and agent version are known, one row per host and stretch of unchanged attributes,
-- half-open [online_from, online_until), never past the instant.
-- A host without a row in the inventory is 'unknown'; so is the time before its first row. In a lake without any presence
-- each sighting of a host (crash, install, inventory) counts it as online for the 24 hours after it.
WITH spanned AS MATERIALIZED (
  SELECT host_id, valid_from, coalesce(valid_until, 'infinity') AS valid_until, os_type, agent_version FROM host_spans
),
described AS (
  SELECT host_id, valid_from, valid_until, os_type, agent_version FROM spanned
  UNION ALL
  SELECT host_id, CAST('-infinity' AS TIMESTAMPTZ), min(valid_from), NULL, NULL FROM spanned GROUP BY host_id
),
sighted AS (
  SELECT host_id, placed_at AS seen_at FROM crashes
  UNION ALL SELECT host_id, placed_at FROM installs
  UNION ALL SELECT host_id, known_at FROM hosts WHERE seen_at IS NOT NULL OR received_at IS NOT NULL
),
marked AS (
  SELECT
    host_id, seen_at,
    coalesce(seen_at > lag(seen_at) OVER (PARTITION BY host_id ORDER BY seen_at) + INTERVAL 24 HOUR, true) AS opens
  FROM sighted WHERE NOT EXISTS (SELECT 1 FROM presence)
),
numbered AS (
  SELECT *, count(*) FILTER (opens) OVER (PARTITION BY host_id ORDER BY seen_at ROWS UNBOUNDED PRECEDING) AS stretch
  FROM marked
),
stretched AS (
  SELECT host_id, online_from, least(online_until, getvariable('as_of')) AS online_until FROM presence
  UNION ALL
  SELECT host_id, min(seen_at), least(max(seen_at) + INTERVAL 24 HOUR, getvariable('as_of'))
  FROM numbered GROUP BY host_id, stretch
)
SELECT
  stretched.host_id,
  greatest(stretched.online_from, described.valid_from) AS online_from,
  least(stretched.online_until, described.valid_until) AS online_until,
  coalesce(described.os_type, 'unknown') AS os_type,
  coalesce(described.agent_version, 'unknown') AS agent_version
FROM stretched LEFT JOIN described
  ON described.host_id = stretched.host_id
  AND described.valid_from < stretched.online_until
  AND described.valid_until > stretched.online_from
WHERE stretched.online_from < stretched.online_until
