-- Steps that begin or end exposure, known as of the instant: installs and removals, one row each.
-- A later install of the same slot (kind and channel) takes the place of an earlier one; an update that the catalogue
-- lacks is a slot of its own. order_at: which of two at the same time came later.
SELECT
  installs.host_id, installs.update_id, installs.placed_at, installs.known_at, installs.action,
  coalesce(updates.kind, installs.update_id) AS slot_kind, updates.channel,
  installs.known_at AS order_at
FROM installs LEFT JOIN updates ON updates.update_id = installs.update_id
