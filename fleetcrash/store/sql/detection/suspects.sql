-- Every update that the catalogue or an install names, one row per update, in the order in which they were known.
-- Reads the kept table known_installs.
WITH named AS (
  SELECT update_id, known_at FROM updates
  UNION ALL
  SELECT update_id, min(known_at) AS known_at FROM known_installs GROUP BY update_id
),
first_named AS (
  SELECT update_id, min(known_at) AS known_at FROM named GROUP BY update_id
)
SELECT
  first_named.update_id, updates.kind, updates.version,
  CAST(epoch_us(updates.released_at) AS BIGINT) AS released_us,
  CAST((CAST(epoch_us(first_named.known_at) AS BIGINT) + 59999999) // 60000000 AS INTEGER) AS known_tick,
  CAST((CAST(epoch_us(updates.known_at) AS BIGINT) + 59999999) // 60000000 AS INTEGER) AS told_tick
FROM first_named LEFT JOIN updates ON updates.update_id = first_named.update_id
ORDER BY first_named.known_at, first_named.update_id
