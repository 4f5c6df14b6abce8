-- First and last whole minute to judge, one row: from a day before the first event was known, so that there is
-- something to hold it against, but not from before anything was told of hosts. Sessions and installs may reach back
-- years. Without an event there is nothing to judge, and the first tick is after the last.
-- first_crash_tick: when the first crash was known (see first_crash), null before; presence may be told from long before
-- crashes were.
-- first_left_tick: when it was first known that a host left that is not always on, null before: who tells of sessions from
-- some hour on tells of those that had begun by then, and of none that had ended.
-- Reads the kept tables events and gone. Events are numbered as they became known, so the row stays as the instant moves on.
WITH told AS (
  SELECT min(known_at) AS known_at FROM lake_install WHERE known_at <= getvariable('as_of')
  UNION ALL SELECT min(known_at) FROM lake_heartbeat WHERE known_at <= getvariable('as_of')
  UNION ALL SELECT min(known_at) FROM lake_session WHERE known_at <= getvariable('as_of')
),
bounds AS (
  SELECT
    (SELECT CAST(epoch_us(min(known_at)) AS BIGINT) // 60000000 FROM told) AS told_tick,
    (SELECT min(tick) FROM events) AS first_event_tick,
    (
      SELECT min(tick) FROM events
      WHERE outcome = 0 AND known_us >= (SELECT CAST(epoch_us(known_at) AS BIGINT) FROM first_crash)
    ) AS first_crash_tick,
    (SELECT min(gone_tick) FROM gone WHERE NOT always_on) AS first_left_tick,
    CAST(epoch_us(CAST(getvariable('as_of') AS TIMESTAMPTZ)) AS BIGINT) // 60000000 AS last_tick
)
SELECT
  CAST(CASE
    WHEN first_event_tick IS NULL THEN last_tick + 1
    ELSE greatest(first_event_tick - 1440, least(told_tick, first_event_tick - 60))
  END AS INTEGER) AS first_tick,
  CAST(last_tick AS INTEGER) AS last_tick,
  CAST(first_crash_tick AS INTEGER) AS first_crash_tick,
  CAST(first_left_tick AS INTEGER) AS first_left_tick
FROM bounds
