-- What a viewer may filter by, one row per dimension and value. hosts: how many hosts have it now; of an
-- update, how often it was installed.
-- Values that occur in crashes alone are there as well, with no host. Newest updates first, else most hosts first.
-- Reads the kept tables known_spans and shaped_crashes. Of each dimension at most $most values: beyond that a list is no help, and any value can be typed.
WITH described AS (
  SELECT os_type, os_build, agent_version, model, region, ring, site FROM known_spans WHERE valid_until IS NULL
),
unpivoted AS (
  UNPIVOT described ON os_type, os_build, agent_version, model, region, ring, site INTO NAME dimension VALUE value
),
crashed AS (SELECT DISTINCT os_type, os_build, agent_version FROM shaped_crashes),
unpivoted_crashes AS (UNPIVOT crashed ON os_type, os_build, agent_version INTO NAME dimension VALUE value),
valued AS (
  SELECT dimension, value, count(*) AS hosts, NULL AS released_at FROM unpivoted GROUP BY dimension, value
  UNION ALL
  SELECT dimension, value, 0, NULL FROM unpivoted_crashes
  UNION ALL
  SELECT 'update', update_id, 0, released_at FROM updates
  UNION ALL
  SELECT 'update', update_id, count(*), NULL FROM lake_install WHERE known_at <= getvariable('as_of') GROUP BY update_id
  UNION ALL
  SELECT 'channel', channel, 0, max(released_at) FROM updates WHERE channel IS NOT NULL GROUP BY channel
),
summed AS (
  SELECT dimension, value, CAST(max(hosts) AS BIGINT) AS hosts, max(released_at) AS released_at
  FROM valued GROUP BY dimension, value
)
SELECT dimension, value, hosts, released_at FROM summed
QUALIFY row_number() OVER (
  PARTITION BY dimension ORDER BY released_at DESC NULLS LAST, hosts DESC, value
) <= CAST($most AS BIGINT)
ORDER BY dimension, released_at DESC NULLS LAST, hosts DESC, value
