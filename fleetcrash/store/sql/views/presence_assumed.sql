-- Presence where nobody tells it, one row per host and stretch: each sighting of a host (install, dated row of the
-- inventory) counts it as online for the 24 hours after it; a crash is no sighting here, or only hosts that crash would be
-- at risk of it. Without any sighting the whole inventory counts as online, from an hour before the first crash on.
-- A stretch's end is no silence: nobody was listening.
-- since_known: from when the stretch was known; gone_known: from when its end was.
WITH sighted AS (
  SELECT host_id, placed_at AS seen_at, known_at FROM installs
  UNION ALL
  SELECT host_id, known_at, known_at FROM lake_host
  WHERE known_at <= getvariable('as_of') AND (seen_at IS NOT NULL OR received_at IS NOT NULL)
),
marked AS (
  SELECT
    *, coalesce(seen_at > lag(seen_at) OVER (PARTITION BY host_id ORDER BY seen_at) + INTERVAL 24 HOUR, true) AS opens
  FROM sighted
),
numbered AS (
  SELECT *, count(*) FILTER (opens) OVER (PARTITION BY host_id ORDER BY seen_at ROWS UNBOUNDED PRECEDING) AS stretch
  FROM marked
),
stretched AS (
  SELECT
    host_id, min(seen_at) AS online_from, max(seen_at) + INTERVAL 24 HOUR AS ends_at, min(known_at) AS since_known
  FROM numbered GROUP BY host_id, stretch
)
SELECT
  host_id, online_from, since_known, true AS assumed,
  CASE WHEN ends_at <= getvariable('as_of') THEN ends_at END AS online_until,
  CASE WHEN ends_at <= getvariable('as_of') THEN ends_at END AS gone_known
FROM stretched
UNION ALL
SELECT
  host_id, greatest(known_at, (SELECT min(placed_at) FROM crashes) - INTERVAL 1 HOUR), known_at, true,
  CAST(NULL AS TIMESTAMPTZ), CAST(NULL AS TIMESTAMPTZ)
FROM hosts
WHERE NOT EXISTS (SELECT 1 FROM sighted) AND EXISTS (SELECT 1 FROM crashes)
