-- What a viewer may filter by, one row per dimension (os_type, agent_version, update) and value; hosts: how many hosts have it
-- now, or ever installed it. Newest updates first within theirs, else most hosts first.
WITH valued AS (
  SELECT 'os_type' AS dimension, os_type AS value, count(*) AS hosts, NULL AS released_at FROM hosts GROUP BY os_type
  UNION ALL
  SELECT 'os_type', os_type, 0, NULL FROM crashes GROUP BY os_type
  UNION ALL
  SELECT 'agent_version', agent_version, count(*), NULL
  FROM host_spans WHERE valid_until IS NULL AND agent_version IS NOT NULL GROUP BY agent_version
  UNION ALL
  SELECT 'agent_version', agent_version, 0, NULL FROM crashes WHERE agent_version IS NOT NULL GROUP BY agent_version
  UNION ALL
  SELECT 'update', update_id, 0, released_at FROM updates
  UNION ALL
  SELECT 'update', update_id, count(DISTINCT host_id), NULL FROM installs GROUP BY update_id
)
SELECT dimension, value, CAST(max(hosts) AS BIGINT) AS hosts, max(released_at) AS released_at
FROM valued GROUP BY dimension, value
ORDER BY dimension, released_at DESC NULLS LAST, hosts DESC, value
