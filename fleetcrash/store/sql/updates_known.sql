-- Updates that the catalogue or an install names, one row per update, newest release first; one that only installs name has
-- no kind, channel, version and times of release, and stands where its first install does.
-- It reads installs as they were reported, not the view: of two reports of one, the earlier known is the first either way.
WITH installed AS (
  SELECT update_id, min(least(applied_at, known_at)) AS first_installed_at
  FROM lake_install WHERE known_at <= getvariable('as_of') AND action = 'installed' GROUP BY update_id
)
SELECT
  update_id, updates.kind, updates.channel, updates.version, updates.released_at, updates.reverted_at,
  installed.first_installed_at
FROM updates FULL JOIN installed USING (update_id)
ORDER BY coalesce(updates.released_at, installed.first_installed_at) DESC, update_id
