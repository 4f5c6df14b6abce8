-- Updates that came before a cluster was first seen, one row per update, the newest of them first.
-- $cluster_id; $most: rows at most. installed_at: on the host of the first crash, null when it has none of it. came_at: the
-- later of release and that install; an update counts only while that host was exposed to it, or where no install is known.
-- Reads the kept table clustered_crashes.
WITH first_crash AS (
  SELECT host_id, placed_at AS first_seen FROM clustered_crashes WHERE cluster_id = $cluster_id
  ORDER BY placed_at, crash_id LIMIT 1
),
installed AS (
  SELECT exposures.update_id, max(exposures.exposed_from) AS installed_at
  FROM exposures JOIN first_crash
    ON exposures.host_id = first_crash.host_id
    AND exposures.exposed_from <= first_crash.first_seen
    AND coalesce(exposures.exposed_until, 'infinity') > first_crash.first_seen
  GROUP BY exposures.update_id
),
told AS (SELECT count(*) > 0 AS has_installs FROM installed)
SELECT
  update_id, updates.kind, updates.version, updates.released_at, installed.installed_at,
  greatest(updates.released_at, installed.installed_at) AS came_at,
  epoch(first_crash.first_seen) - epoch(greatest(updates.released_at, installed.installed_at)) AS lead_s
FROM updates FULL JOIN installed USING (update_id) CROSS JOIN first_crash CROSS JOIN told
WHERE (installed.installed_at IS NOT NULL OR NOT told.has_installs)
  AND greatest(updates.released_at, installed.installed_at) <= first_crash.first_seen
ORDER BY came_at DESC, update_id
LIMIT CAST($most AS BIGINT)
