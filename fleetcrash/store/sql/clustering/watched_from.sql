-- Since when crashes, installs or presence have been coming in, as of the instant: one row; null without any.
-- The inventory and the catalogue do not count: they tell of a fleet, not of somebody listening to it.
SELECT min(known_at) AS watched_from
FROM (
  SELECT min(known_at) AS known_at FROM lake_crash WHERE known_at <= getvariable('as_of')
  UNION ALL SELECT min(known_at) FROM lake_install WHERE known_at <= getvariable('as_of')
  UNION ALL SELECT min(known_at) FROM lake_session WHERE known_at <= getvariable('as_of')
  UNION ALL SELECT min(known_at) FROM lake_heartbeat WHERE known_at <= getvariable('as_of')
) AS listened
