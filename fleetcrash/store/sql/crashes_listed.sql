-- Crashes, one row per crash, newest first, at most $most; crashes: how many there are in all.
-- $host_id, $cluster_id: only those of a host, of a cluster; null for any.
-- Window and filters are those of the kept table selected_crashes, which it reads.
SELECT
  crash_id, host_id, placed_at, os_type, os_build, agent_version, domain, code, module, cluster_id, count(*) OVER () AS crashes
FROM selected_crashes
WHERE (CAST($host_id AS VARCHAR) IS NULL OR host_id = $host_id)
  AND (CAST($cluster_id AS VARCHAR) IS NULL OR cluster_id = $cluster_id)
ORDER BY placed_at DESC, crash_id
LIMIT CAST($most AS BIGINT)
