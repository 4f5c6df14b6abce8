-- Hosts that crashed, one row per host, most crashes first, at most $most; hosts: how many there are in all.
-- os_build, agent_version: at its last crash. Window and filters are those of the kept table selected_crashes, which it reads.
SELECT
  host_id, count(*) AS crashes, min(placed_at) AS first_at, max(placed_at) AS last_at,
  arg_max(os_type, (placed_at, crash_id)) AS os_type,
  arg_max(os_build, (placed_at, crash_id)) AS os_build,
  arg_max(agent_version, (placed_at, crash_id)) AS agent_version,
  count(*) OVER () AS hosts
FROM selected_crashes GROUP BY host_id
ORDER BY crashes DESC, host_id
LIMIT CAST($most AS BIGINT)
