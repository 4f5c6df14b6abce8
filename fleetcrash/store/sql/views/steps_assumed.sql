-- Steps where no install is told, one row per host and update: every host that was online at or after a release has
-- the update from then on, until a later release of the same kind and channel.
SELECT
  presence.host_id, updates.update_id,
  greatest(updates.released_at, min(presence.online_from)) AS placed_at,
  greatest(updates.known_at, updates.released_at, min(presence.online_from)) AS known_at,
  'installed' AS action, updates.kind AS slot_kind, updates.channel, updates.released_at AS order_at
FROM updates
JOIN presence ON coalesce(presence.online_until, 'infinity') > updates.released_at
GROUP BY
  presence.host_id, updates.update_id, updates.kind, updates.channel, updates.known_at, updates.released_at
HAVING placed_at <= getvariable('as_of')
