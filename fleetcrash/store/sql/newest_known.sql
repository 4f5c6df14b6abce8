-- When the newest record of the lake became known, one row, microseconds since 1970; null without records.
SELECT max(CAST(epoch_us(known_at) AS BIGINT)) AS newest_us
FROM (
  SELECT max(known_at) AS known_at FROM lake_crash
  UNION ALL SELECT max(known_at) FROM lake_install
  UNION ALL SELECT max(known_at) FROM lake_update
  UNION ALL SELECT max(known_at) FROM lake_host
  UNION ALL SELECT max(known_at) FROM lake_heartbeat
  UNION ALL SELECT max(known_at) FROM lake_session
) AS newest
