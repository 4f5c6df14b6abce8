-- First and last whole minute to judge, one row: from the first record that states a time to the instant.
WITH dated AS (
  SELECT min(known_at) AS known_at FROM lake_crash
  UNION ALL SELECT min(known_at) FROM lake_install
  UNION ALL SELECT min(known_at) FROM lake_update
  UNION ALL SELECT min(known_at) FROM lake_heartbeat
  UNION ALL SELECT min(known_at) FROM lake_session
)
SELECT
  CAST(coalesce(min(CAST(epoch_us(known_at) AS BIGINT)) // 60000000, 0) AS INTEGER) AS first_tick,
  CAST(CAST(epoch_us(CAST(getvariable('as_of') AS TIMESTAMPTZ)) AS BIGINT) // 60000000 AS INTEGER) AS last_tick
FROM dated
