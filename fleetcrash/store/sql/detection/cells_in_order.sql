-- The cells that were kept, one row per cell, in the order of their numbers; known_tick: when the first host was in it.
SELECT
  * EXCLUDE (first_known),
  CAST((CAST(epoch_us(first_known) AS BIGINT) + 59999999) // 60000000 AS INTEGER) AS known_tick
FROM cells ORDER BY cell
