-- Host-time online in the window and within the filters, one row per host and stretch of unchanged attributes.
-- $since, $until: half-open, UTC. $os_types, $os_builds, $agent_versions, $models, $regions, $rings, $sites, $updates,
-- $channels: lists; null or an empty list filters nothing. The last two keep host-time only while the host was exposed.
-- Reads the kept tables online_stretches and selected_exposures.
WITH asked AS (
  SELECT
    CAST($os_types AS VARCHAR[]) AS os_types, CAST($os_builds AS VARCHAR[]) AS os_builds,
    CAST($agent_versions AS VARCHAR[]) AS agent_versions, CAST($models AS VARCHAR[]) AS models,
    CAST($regions AS VARCHAR[]) AS regions, CAST($rings AS VARCHAR[]) AS rings, CAST($sites AS VARCHAR[]) AS sites,
    coalesce(len(CAST($updates AS VARCHAR[])), 0) + coalesce(len(CAST($channels AS VARCHAR[])), 0) > 0 AS exposed_only
),
clipped AS (
  SELECT
    host_id, os_type, os_build, agent_version, exposed_only,
    greatest(online_from, CAST($since AS TIMESTAMPTZ)) AS online_from,
    least(online_until, CAST($until AS TIMESTAMPTZ)) AS online_until
  FROM online_stretches CROSS JOIN asked
  WHERE online_until > CAST($since AS TIMESTAMPTZ) AND online_from < CAST($until AS TIMESTAMPTZ)
    AND (coalesce(len(os_types), 0) = 0 OR list_contains(os_types, os_type))
    AND (coalesce(len(os_builds), 0) = 0 OR list_contains(os_builds, os_build))
    AND (coalesce(len(agent_versions), 0) = 0 OR list_contains(agent_versions, agent_version))
    AND (coalesce(len(models), 0) = 0 OR list_contains(models, model))
    AND (coalesce(len(regions), 0) = 0 OR list_contains(regions, region))
    AND (coalesce(len(rings), 0) = 0 OR list_contains(rings, ring))
    AND (coalesce(len(sites), 0) = 0 OR list_contains(sites, site))
)
SELECT host_id, os_type, os_build, agent_version, online_from, online_until FROM clipped WHERE NOT exposed_only
UNION ALL
SELECT
  clipped.host_id, clipped.os_type, clipped.os_build, clipped.agent_version,
  greatest(clipped.online_from, exposed.exposed_from), least(clipped.online_until, exposed.exposed_until)
FROM clipped JOIN selected_exposures AS exposed
  ON exposed.host_id = clipped.host_id
  AND exposed.exposed_from < clipped.online_until AND exposed.exposed_until > clipped.online_from
