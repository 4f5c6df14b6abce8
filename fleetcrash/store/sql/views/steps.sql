-- Steps that begin or end exposure, known as of the instant: installs and removals, one row each.
-- A later install of the same slot (kind and channel) takes the place of an earlier one; an update that the catalogue
-- lacks is a slot of its own. slot_known: when the catalogue told the slot, if that was after the step was known; else null.
-- order_at: which of two at the same time came later.
WITH slots AS (
  SELECT update_id, kind, channel, max(known_at) FILTER (is_new_slot) OVER (PARTITION BY update_id) AS slot_known
  FROM catalogue
  QUALIFY until_known IS NULL
)
SELECT
  installs.host_id, installs.update_id, installs.placed_at, installs.known_at, installs.action,
  coalesce(slots.kind, installs.update_id) AS slot_kind, slots.channel,
  CASE WHEN slots.slot_known > installs.known_at THEN slots.slot_known END AS slot_known,
  installs.known_at AS order_at
FROM installs LEFT JOIN slots ON slots.update_id = installs.update_id
