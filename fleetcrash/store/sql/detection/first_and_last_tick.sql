-- First and last whole minute to judge, one row: from an hour before the first crash was known to the instant.
-- Presence and installs may be told of times before anything was recorded; host-time without crashes from then would make
-- the baseline look lower than it is. Without a crash, or when all came later, the first presence or install counts;
-- without any of these there is nothing to judge, and the first tick is after the last.
WITH dated AS (
  SELECT min(CAST(epoch_us(known_at) AS BIGINT)) AS known_us FROM lake_install
  UNION ALL SELECT min(CAST(epoch_us(known_at) AS BIGINT)) FROM lake_heartbeat
  UNION ALL SELECT min(CAST(epoch_us(known_at) AS BIGINT)) FROM lake_session
),
first_crash AS (
  SELECT min(CAST(epoch_us(known_at) AS BIGINT)) - 3600000000 AS known_us FROM lake_crash
  WHERE known_at <= getvariable('as_of')
)
SELECT
  CAST(coalesce(
    greatest((SELECT min(known_us) FROM dated), (SELECT known_us FROM first_crash)),
    CAST(epoch_us(CAST(getvariable('as_of') AS TIMESTAMPTZ)) AS BIGINT) + 60000000
  ) // 60000000 AS INTEGER) AS first_tick,
  CAST(CAST(epoch_us(CAST(getvariable('as_of') AS TIMESTAMPTZ)) AS BIGINT) // 60000000 AS INTEGER) AS last_tick
