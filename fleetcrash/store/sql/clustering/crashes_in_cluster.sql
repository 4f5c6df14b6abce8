-- Crashes of a cluster or a host, one row per crash, newest first. $cluster_id, $host_id: null is any; $most: rows at most.
-- Reads the kept table clustered_crashes.
WITH chosen AS (
  SELECT * FROM clustered_crashes
  WHERE ($cluster_id IS NULL OR cluster_id = $cluster_id) AND ($host_id IS NULL OR host_id = $host_id)
  ORDER BY placed_at DESC, crash_id
  LIMIT CAST($most AS BIGINT)
)
SELECT
  chosen.crash_id, chosen.host_id, chosen.placed_at, chosen.os_type, chosen.cluster_id, chosen.signature,
  crashes.code, crashes.module, crashes.module_version, crashes.agent_version, crashes.os_build
FROM chosen JOIN crashes ON crashes.crash_id = chosen.crash_id
ORDER BY chosen.placed_at DESC, chosen.crash_id
