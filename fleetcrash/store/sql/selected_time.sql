-- Host-time online in the window and within the filters, never past the instant, one row per host and stretch of unchanged
-- attributes.
-- $since, $until: half-open, UTC. $os_types, $os_builds, $agent_versions, $models, $regions, $rings, $sites, $updates,
-- $channels: lists; null or an empty list filters nothing. The last two keep host-time only while the host was exposed.
-- Each filter is a condition, or a branch, of its own with its parameter in it: DuckDB leaves out those that filter nothing.
-- host: as in online_stretches. Reads the kept tables online_stretches and selected_exposures.
WITH clipped AS (
  SELECT
    host, os_type, os_build, agent_version,
    greatest(online_from, CAST($since AS TIMESTAMPTZ)) AS online_from,
    least(online_until, CAST($until AS TIMESTAMPTZ), getvariable('as_of')) AS online_until
  FROM online_stretches
  WHERE online_until > CAST($since AS TIMESTAMPTZ)
    AND online_from < least(CAST($until AS TIMESTAMPTZ), getvariable('as_of'))
    AND (coalesce(len(CAST($os_types AS VARCHAR[])), 0) = 0 OR list_contains(CAST($os_types AS VARCHAR[]), os_type))
    AND (coalesce(len(CAST($os_builds AS VARCHAR[])), 0) = 0 OR list_contains(CAST($os_builds AS VARCHAR[]), os_build))
    AND (
      coalesce(len(CAST($agent_versions AS VARCHAR[])), 0) = 0
      OR list_contains(CAST($agent_versions AS VARCHAR[]), agent_version)
    )
    AND (coalesce(len(CAST($models AS VARCHAR[])), 0) = 0 OR list_contains(CAST($models AS VARCHAR[]), model))
    AND (coalesce(len(CAST($regions AS VARCHAR[])), 0) = 0 OR list_contains(CAST($regions AS VARCHAR[]), region))
    AND (coalesce(len(CAST($rings AS VARCHAR[])), 0) = 0 OR list_contains(CAST($rings AS VARCHAR[]), ring))
    AND (coalesce(len(CAST($sites AS VARCHAR[])), 0) = 0 OR list_contains(CAST($sites AS VARCHAR[]), site))
)
SELECT host, os_type, os_build, agent_version, online_from, online_until FROM clipped
WHERE coalesce(len(CAST($updates AS VARCHAR[])), 0) + coalesce(len(CAST($channels AS VARCHAR[])), 0) = 0
UNION ALL
SELECT
  clipped.host, clipped.os_type, clipped.os_build, clipped.agent_version,
  greatest(clipped.online_from, exposed.exposed_from), least(clipped.online_until, exposed.exposed_until)
FROM clipped JOIN selected_exposures AS exposed
  ON exposed.host = clipped.host
  AND exposed.exposed_from < clipped.online_until AND exposed.exposed_until > clipped.online_from
WHERE coalesce(len(CAST($updates AS VARCHAR[])), 0) + coalesce(len(CAST($channels AS VARCHAR[])), 0) > 0
