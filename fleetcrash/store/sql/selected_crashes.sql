-- Crashes in the window and within the filters, one row per crash, placed where the analysis puts it.
-- $since, $until: half-open, UTC. $os_types, $os_builds, $agent_versions, $models, $regions, $rings, $sites, $clusters,
-- $updates, $channels: lists; null or an empty list filters nothing. The last two keep the crashes of hosts that were exposed.
-- $text: keeps the crashes that say it, which are those of worded_crashes; empty filters nothing.
-- place: where the rest of the crash stands in placed_crashes. host, shape: as there.
-- Each filter is a condition, or a branch, of its own with its parameter in it: DuckDB leaves out those that filter nothing.
-- Reads the kept tables placed_crashes, signed_shapes, worded_crashes and selected_exposures.
WITH filtered AS (
  SELECT
    rowid AS place, crash_id, host, placed_at, exposed_at, os_type, os_build, agent_version, shape
  FROM placed_crashes
  WHERE placed_at >= CAST($since AS TIMESTAMPTZ) AND placed_at < CAST($until AS TIMESTAMPTZ)
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
    AND (
      coalesce(len(CAST($clusters AS VARCHAR[])), 0) = 0
      OR shape IN (SELECT shape FROM signed_shapes WHERE list_contains(CAST($clusters AS VARCHAR[]), cluster_id))
    )
),
worded AS (
  SELECT * FROM filtered WHERE coalesce(CAST($text AS VARCHAR), '') = ''
  UNION ALL
  SELECT * FROM filtered SEMI JOIN worded_crashes USING (crash_id) WHERE coalesce(CAST($text AS VARCHAR), '') <> ''
)
SELECT * EXCLUDE (crash_id) FROM worded
WHERE coalesce(len(CAST($updates AS VARCHAR[])), 0) + coalesce(len(CAST($channels AS VARCHAR[])), 0) = 0
UNION ALL
SELECT worded.* EXCLUDE (crash_id) FROM worded SEMI JOIN selected_exposures AS exposed
  ON exposed.host = worded.host
  AND exposed.exposed_from <= worded.exposed_at AND exposed.exposed_until > worded.exposed_at
WHERE coalesce(len(CAST($updates AS VARCHAR[])), 0) + coalesce(len(CAST($channels AS VARCHAR[])), 0) > 0
