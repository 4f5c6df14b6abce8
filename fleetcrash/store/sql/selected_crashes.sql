-- Crashes in the window and within the filters, one row per crash, placed where the analysis puts it.
-- $since, $until: half-open, UTC. $os_types, $agent_versions, $updates: lists; null or an empty list filters nothing.
-- $updates keeps the crashes of hosts that were exposed to at least one of them.
-- Reads the kept tables placed_crashes and known_exposures.
SELECT crash_id, host_id, placed_at, exposed_at, os_type, agent_version, domain, code, module
FROM placed_crashes
WHERE placed_at >= CAST($since AS TIMESTAMPTZ) AND placed_at < CAST($until AS TIMESTAMPTZ)
  AND (coalesce(len(CAST($os_types AS VARCHAR[])), 0) = 0 OR list_contains(CAST($os_types AS VARCHAR[]), os_type))
  AND (
    coalesce(len(CAST($agent_versions AS VARCHAR[])), 0) = 0
    OR list_contains(CAST($agent_versions AS VARCHAR[]), agent_version)
  )
  AND (
    coalesce(len(CAST($updates AS VARCHAR[])), 0) = 0
    OR EXISTS (
      SELECT 1 FROM known_exposures
      WHERE known_exposures.host_id = placed_crashes.host_id
        AND list_contains(CAST($updates AS VARCHAR[]), known_exposures.update_id)
        AND known_exposures.exposed_from <= placed_crashes.exposed_at
        AND known_exposures.exposed_until > placed_crashes.exposed_at
    )
  )
