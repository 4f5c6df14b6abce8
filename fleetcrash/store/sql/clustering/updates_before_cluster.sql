-- Updates that came before a cluster was first seen, one row per update, the newest of them first.
-- $cluster_id; $most: rows at most. installed_at: on the host of the first crash, null when it has none of it. came_at: the
-- later of release and that install; an update counts only while that host was exposed to it, or where no install is known.
-- Reads the kept tables shaped_crashes, shapes_seen, signed_shapes and known_exposures.
WITH of_cluster AS (
  SELECT shape, first_seen FROM shapes_seen JOIN signed_shapes USING (shape) WHERE cluster_id = $cluster_id
),
first_crash AS (
  SELECT host_id, placed_at AS first_seen FROM shaped_crashes JOIN of_cluster
    ON of_cluster.shape = shaped_crashes.shape AND of_cluster.first_seen = shaped_crashes.placed_at
  ORDER BY placed_at, crash_id LIMIT 1
),
installed AS (
  SELECT exposed.update_id, max(exposed.exposed_from) AS installed_at
  FROM known_exposures AS exposed JOIN first_crash
    ON exposed.host_id = first_crash.host_id
    AND exposed.exposed_from <= first_crash.first_seen
    AND exposed.exposed_until > first_crash.first_seen
  GROUP BY exposed.update_id
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
