-- Crashes, one row per crash, newest first, at most $most; crashes: how many there are in all.
-- $host_id, $cluster_id: only those of a host, of a cluster; null for any.
-- Window and filters are those of the kept table selected_crashes; it reads placed_crashes and signed_shapes as well.
SELECT
  placed.crash_id, placed.host_id, placed.placed_at, placed.os_type, placed.os_build, placed.agent_version, placed.domain,
  placed.code, placed.module, signed_shapes.cluster_id, count(*) OVER () AS crashes
FROM selected_crashes JOIN placed_crashes AS placed ON placed.rowid = selected_crashes.place
JOIN signed_shapes ON signed_shapes.shape = placed.shape
WHERE (CAST($host_id AS VARCHAR) IS NULL OR (selected_crashes.host = hash(CAST($host_id AS VARCHAR)) AND placed.host_id = $host_id))
  AND (CAST($cluster_id AS VARCHAR) IS NULL OR signed_shapes.cluster_id = $cluster_id)
ORDER BY placed.placed_at DESC, placed.crash_id
LIMIT CAST($most AS BIGINT)
