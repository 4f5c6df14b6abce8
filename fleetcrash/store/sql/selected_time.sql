-- Host-time online in the window and within the filters, one row per host and stretch of unchanged attributes.
-- $since, $until: half-open, UTC. $os_types, $agent_versions, $updates: lists; null or an empty list filters nothing.
-- $updates keeps host-time only while the host was exposed to at least one of them; overlapping exposures count once.
-- Reads the kept tables online_stretches and known_exposures.
WITH clipped AS (
  SELECT
    host_id, os_type, agent_version,
    greatest(online_from, CAST($since AS TIMESTAMPTZ)) AS online_from,
    least(online_until, CAST($until AS TIMESTAMPTZ)) AS online_until
  FROM online_stretches
  WHERE online_until > CAST($since AS TIMESTAMPTZ) AND online_from < CAST($until AS TIMESTAMPTZ)
    AND (coalesce(len(CAST($os_types AS VARCHAR[])), 0) = 0 OR list_contains(CAST($os_types AS VARCHAR[]), os_type))
    AND (
      coalesce(len(CAST($agent_versions AS VARCHAR[])), 0) = 0
      OR list_contains(CAST($agent_versions AS VARCHAR[]), agent_version)
    )
),
chosen AS (
  SELECT
    host_id, exposed_from, exposed_until,
    max(exposed_until) OVER (
      PARTITION BY host_id ORDER BY exposed_from, exposed_until ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
    ) AS covered_until
  FROM known_exposures WHERE list_contains(CAST($updates AS VARCHAR[]), update_id)
),
numbered AS (
  SELECT
    *,
    count(*) FILTER (covered_until IS NULL OR exposed_from > covered_until) OVER (
      PARTITION BY host_id ORDER BY exposed_from, exposed_until ROWS UNBOUNDED PRECEDING
    ) AS island
  FROM chosen
),
merged AS (
  SELECT host_id, min(exposed_from) AS exposed_from, max(exposed_until) AS exposed_until
  FROM numbered GROUP BY host_id, island
)
SELECT host_id, os_type, agent_version, online_from, online_until
FROM clipped WHERE coalesce(len(CAST($updates AS VARCHAR[])), 0) = 0
UNION ALL
SELECT
  clipped.host_id, clipped.os_type, clipped.agent_version,
  greatest(clipped.online_from, merged.exposed_from), least(clipped.online_until, merged.exposed_until)
FROM clipped JOIN merged
  ON merged.host_id = clipped.host_id
  AND merged.exposed_from < clipped.online_until AND merged.exposed_until > clipped.online_from
