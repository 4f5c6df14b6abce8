-- What was said of updates, one row per update and change of it, by when it was known; numbered in the order in which updates
-- were first named, by the catalogue or by an install, which tells no more than the name.
-- Reads the kept table known_installs.
WITH named AS (
  SELECT update_id, min(known_at) AS known_at FROM catalogue GROUP BY update_id
  UNION ALL
  SELECT update_id, min(known_at) AS known_at FROM known_installs GROUP BY update_id
),
first_named AS (
  SELECT
    update_id, min(known_at) AS known_at,
    row_number() OVER (ORDER BY min(known_at), update_id) - 1 AS number
  FROM named GROUP BY update_id
),
said AS (
  SELECT update_id, kind, version, released_at, known_at, min(known_at) OVER (PARTITION BY update_id) AS told_at FROM catalogue
  UNION ALL
  SELECT update_id, NULL, NULL, NULL, known_at, NULL FROM first_named ANTI JOIN catalogue USING (update_id, known_at)
),
rounded AS (
  SELECT *, (CAST(epoch_us(known_at) AS BIGINT) + 59999999) // 60000000 AS said_tick FROM said
)
SELECT
  CAST(rounded.said_tick AS INTEGER) AS tick, CAST(first_named.number AS INTEGER) AS number,
  rounded.update_id, rounded.kind, rounded.version, CAST(epoch_us(rounded.released_at) AS BIGINT) AS released_us,
  CAST((CAST(epoch_us(first_named.known_at) AS BIGINT) + 59999999) // 60000000 AS INTEGER) AS known_tick,
  CAST((CAST(epoch_us(rounded.told_at) AS BIGINT) + 59999999) // 60000000 AS INTEGER) AS told_tick
FROM rounded JOIN first_named ON first_named.update_id = rounded.update_id
QUALIFY row_number() OVER (PARTITION BY rounded.update_id, said_tick ORDER BY rounded.known_at DESC) = 1
ORDER BY tick, number
