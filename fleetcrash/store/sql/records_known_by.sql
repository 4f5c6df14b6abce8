-- How many records were known by a tick, one row.
-- $tick: whole minutes since 1970.
SELECT CAST(sum(records) AS BIGINT) AS records
FROM (
  SELECT count(*) AS records FROM lake_crash WHERE known_at <= to_timestamp(CAST($tick AS BIGINT) * 60)
  UNION ALL SELECT count(*) FROM lake_install WHERE known_at <= to_timestamp(CAST($tick AS BIGINT) * 60)
  UNION ALL SELECT count(*) FROM lake_update WHERE known_at <= to_timestamp(CAST($tick AS BIGINT) * 60)
  UNION ALL SELECT count(*) FROM lake_host WHERE known_at <= to_timestamp(CAST($tick AS BIGINT) * 60)
  UNION ALL SELECT count(*) FROM lake_heartbeat WHERE known_at <= to_timestamp(CAST($tick AS BIGINT) * 60)
  UNION ALL SELECT count(*) FROM lake_session WHERE known_at <= to_timestamp(CAST($tick AS BIGINT) * 60)
    AND (online_until IS NULL OR online_until <= to_timestamp((CAST($tick AS BIGINT) - 10) * 60))
) AS counted
