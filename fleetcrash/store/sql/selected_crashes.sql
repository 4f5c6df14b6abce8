-- Crashes in the window and within the filters, one row per crash, placed where the analysis puts it.
-- $since, $until: half-open, UTC. $os_types, $os_builds, $agent_versions, $models, $regions, $rings, $sites, $clusters,
-- $updates, $channels: lists; null or an empty list filters nothing. The last two keep the crashes of hosts that were exposed.
-- $text: found in the code, the module or the tags (as {key=value}), upper and lower case alike; empty filters nothing.
-- Reads the kept tables placed_crashes and selected_exposures.
WITH asked AS (
  SELECT
    CAST($os_types AS VARCHAR[]) AS os_types, CAST($os_builds AS VARCHAR[]) AS os_builds,
    CAST($agent_versions AS VARCHAR[]) AS agent_versions, CAST($models AS VARCHAR[]) AS models,
    CAST($regions AS VARCHAR[]) AS regions, CAST($rings AS VARCHAR[]) AS rings, CAST($sites AS VARCHAR[]) AS sites,
    CAST($clusters AS VARCHAR[]) AS clusters, lower(coalesce(CAST($text AS VARCHAR), '')) AS wanted_text,
    coalesce(len(CAST($updates AS VARCHAR[])), 0) + coalesce(len(CAST($channels AS VARCHAR[])), 0) > 0 AS exposed_only
),
matching AS (
  SELECT crashes.crash_id FROM crashes CROSS JOIN asked
  WHERE wanted_text <> ''
    AND contains(lower(concat_ws(' ', crashes.code, crashes.module, CAST(crashes.tags AS VARCHAR))), wanted_text)
)
SELECT
  placed.crash_id, placed.host_id, placed.placed_at, placed.exposed_at, placed.os_type, placed.os_build,
  placed.agent_version, placed.domain, placed.code, placed.module, placed.cluster_id, placed.signature
FROM placed_crashes AS placed CROSS JOIN asked
WHERE placed.placed_at >= CAST($since AS TIMESTAMPTZ) AND placed.placed_at < CAST($until AS TIMESTAMPTZ)
  AND (coalesce(len(os_types), 0) = 0 OR list_contains(os_types, placed.os_type))
  AND (coalesce(len(os_builds), 0) = 0 OR list_contains(os_builds, placed.os_build))
  AND (coalesce(len(agent_versions), 0) = 0 OR list_contains(agent_versions, placed.agent_version))
  AND (coalesce(len(models), 0) = 0 OR list_contains(models, placed.model))
  AND (coalesce(len(regions), 0) = 0 OR list_contains(regions, placed.region))
  AND (coalesce(len(rings), 0) = 0 OR list_contains(rings, placed.ring))
  AND (coalesce(len(sites), 0) = 0 OR list_contains(sites, placed.site))
  AND (coalesce(len(clusters), 0) = 0 OR list_contains(clusters, placed.cluster_id))
  AND (wanted_text = '' OR placed.crash_id IN (SELECT crash_id FROM matching))
  AND (
    NOT exposed_only
    OR EXISTS (
      SELECT 1 FROM selected_exposures AS exposed
      WHERE exposed.host_id = placed.host_id
        AND exposed.exposed_from <= placed.exposed_at AND exposed.exposed_until > placed.exposed_at
    )
  )
