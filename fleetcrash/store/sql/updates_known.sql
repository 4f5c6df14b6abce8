-- Updates that the catalogue or an install names, one row per update, newest release first; one that only installs name has
-- no kind, channel, version and times of release, and stands where its first install does.
-- hosts_installed: hosts that ever installed it, removed and replaced or not.
WITH installed AS (
  SELECT
    update_id, count(DISTINCT host_id) AS hosts_installed,
    min(placed_at) AS first_installed_at, max(placed_at) AS last_installed_at
  FROM installs WHERE action = 'installed' GROUP BY update_id
)
SELECT
  update_id, updates.kind, updates.channel, updates.version, updates.released_at, updates.reverted_at,
  CAST(coalesce(installed.hosts_installed, 0) AS BIGINT) AS hosts_installed,
  installed.first_installed_at, installed.last_installed_at
FROM updates FULL JOIN installed USING (update_id)
ORDER BY coalesce(updates.released_at, installed.first_installed_at) DESC, update_id
