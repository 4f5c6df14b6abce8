-- Exposure known as of the instant, one row per install: host, update, half-open [exposed_from, exposed_until).
-- It lasts until the update is removed or a later install of the same kind and channel takes its place;
-- exposed_until is null while it lasts, until_known is when we knew of the end. An update that the catalogue lacks is a channel of its own.
WITH described AS (
  SELECT
    installs.host_id, installs.update_id, installs.placed_at, installs.known_at, installs.action,
    coalesce(updates.kind, installs.update_id) AS slot_kind, updates.channel
  FROM installs LEFT JOIN updates ON updates.update_id = installs.update_id
),
followed AS (
  SELECT
    *,
    lead(placed_at) OVER slot AS replaced_at,
    lead(known_at) OVER slot AS replaced_known,
    min(placed_at) FILTER (action = 'removed') OVER same_update AS removed_at,
    arg_min(known_at, (placed_at, known_at)) FILTER (action = 'removed') OVER same_update AS removed_known
  FROM described
  WINDOW
    slot AS (PARTITION BY host_id, slot_kind, channel, action ORDER BY placed_at, known_at, update_id),
    same_update AS (
      PARTITION BY host_id, update_id ORDER BY placed_at, action
      ROWS BETWEEN 1 FOLLOWING AND UNBOUNDED FOLLOWING
    )
)
SELECT
  host_id, update_id, known_at,
  placed_at AS exposed_from,
  least(replaced_at, removed_at) AS exposed_until,
  CASE WHEN removed_at <= coalesce(replaced_at, 'infinity') THEN removed_known ELSE replaced_known END AS until_known
FROM followed
WHERE action = 'installed' AND placed_at < coalesce(least(replaced_at, removed_at), 'infinity')
