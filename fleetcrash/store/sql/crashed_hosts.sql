-- Hosts that crashed, one row per host, most crashes first, at most $most; hosts: how many there are in all.
-- os_build, agent_version: at its last crash. Window and filters are those of the kept table selected_crashes; it reads
-- placed_crashes as well.
SELECT
  placed.host_id, count(*) AS crashes, min(placed.placed_at) AS first_at, max(placed.placed_at) AS last_at,
  arg_max(placed.os_type, (placed.placed_at, placed.crash_id)) AS os_type,
  arg_max(placed.os_build, (placed.placed_at, placed.crash_id)) AS os_build,
  arg_max(placed.agent_version, (placed.placed_at, placed.crash_id)) AS agent_version,
  count(*) OVER () AS hosts
FROM selected_crashes JOIN placed_crashes AS placed ON placed.rowid = selected_crashes.place
GROUP BY placed.host_id
ORDER BY crashes DESC, placed.host_id
LIMIT CAST($most AS BIGINT)
