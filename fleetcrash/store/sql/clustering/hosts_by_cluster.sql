-- Hosts of one cluster, one row per host, most crashes first. $cluster_id; $most: rows at most.
-- Attributes are the inventory's newest known; null for a host that it lacks. Reads the kept table clustered_crashes.
WITH counted AS (
  SELECT host_id, count(*) AS crashes, min(placed_at) AS first_seen, max(placed_at) AS last_seen
  FROM clustered_crashes WHERE cluster_id = $cluster_id GROUP BY host_id
)
SELECT
  counted.*, hosts.os_type, hosts.os_build, hosts.agent_version, hosts.model, hosts.region, hosts.site
FROM counted LEFT JOIN hosts ON hosts.host_id = counted.host_id
ORDER BY counted.crashes DESC, counted.host_id
LIMIT CAST($most AS BIGINT)
