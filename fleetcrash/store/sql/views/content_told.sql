-- What crashes say of content where no install is told, one row per crash whose host says which content it has and update of
-- content that went out in the day before: whether the host had it. A channel that it does not list it does not have.
-- known_at: from when both were known.
SELECT
  crashes.crash_id, crashes.host_id, crashes.placed_at, updates.update_id,
  greatest(crashes.known_at, updates.known_at) AS known_at,
  coalesce(crashes.content[updates.channel] = updates.version, false) AS has_it
FROM crashes JOIN updates
  ON updates.kind = 'content' AND updates.channel IS NOT NULL AND updates.version IS NOT NULL
  AND updates.released_at <= crashes.placed_at AND updates.released_at > crashes.placed_at - INTERVAL 1 DAY
WHERE cardinality(crashes.content) > 0
