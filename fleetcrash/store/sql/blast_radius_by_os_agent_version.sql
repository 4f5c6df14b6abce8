-- Hosts ever exposed to an update and those of them that crashed while exposed, one row per OS and agent version, most hosts
-- crashed first. $update_id: the update. Attributes are those at the instant, else 'unknown'.
-- Reads the kept tables known_exposures, known_spans and placed_crashes.
WITH exposed AS (
  SELECT host_id, exposed_from, exposed_until FROM known_exposures WHERE update_id = $update_id
),
crashed AS (
  SELECT DISTINCT exposed.host_id
  FROM exposed JOIN placed_crashes
    ON placed_crashes.host_id = exposed.host_id
    AND exposed.exposed_from <= placed_crashes.exposed_at AND exposed.exposed_until > placed_crashes.exposed_at
  WHERE placed_crashes.exposed_at >= (SELECT min(exposed_from) FROM exposed)
),
described AS (
  SELECT
    exposed_hosts.host_id,
    coalesce(host_spans.os_type, 'unknown') AS os_type,
    coalesce(host_spans.agent_version, 'unknown') AS agent_version,
    crashed.host_id IS NOT NULL AS has_crashed
  FROM (SELECT DISTINCT host_id FROM exposed) AS exposed_hosts
  LEFT JOIN known_spans AS host_spans ON host_spans.host_id = exposed_hosts.host_id AND host_spans.valid_until IS NULL
  LEFT JOIN crashed ON crashed.host_id = exposed_hosts.host_id
)
SELECT os_type, agent_version, count(*) AS exposed, count(*) FILTER (has_crashed) AS crashed
FROM described GROUP BY os_type, agent_version
ORDER BY crashed DESC, exposed DESC, os_type, agent_version
