-- The kinds of hosts within the filters, one row per kind.
-- $os_types, $os_builds, $agent_versions, $models, $regions, $rings, $sites: lists; null or an empty list filters nothing.
-- Reads the kept table host_kinds.
SELECT kind FROM host_kinds
WHERE (coalesce(len(CAST($os_types AS VARCHAR[])), 0) = 0 OR list_contains(CAST($os_types AS VARCHAR[]), os_type))
  AND (coalesce(len(CAST($os_builds AS VARCHAR[])), 0) = 0 OR list_contains(CAST($os_builds AS VARCHAR[]), os_build))
  AND (
    coalesce(len(CAST($agent_versions AS VARCHAR[])), 0) = 0
    OR list_contains(CAST($agent_versions AS VARCHAR[]), agent_version)
  )
  AND (coalesce(len(CAST($models AS VARCHAR[])), 0) = 0 OR list_contains(CAST($models AS VARCHAR[]), model))
  AND (coalesce(len(CAST($regions AS VARCHAR[])), 0) = 0 OR list_contains(CAST($regions AS VARCHAR[]), region))
  AND (coalesce(len(CAST($rings AS VARCHAR[])), 0) = 0 OR list_contains(CAST($rings AS VARCHAR[]), ring))
  AND (coalesce(len(CAST($sites AS VARCHAR[])), 0) = 0 OR list_contains(CAST($sites AS VARCHAR[]), site))
