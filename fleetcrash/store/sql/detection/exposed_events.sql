-- Updates that the host of an event had had for less than a day, one row per event and install.
-- tick: when both were known; gone_tick: when it turned out that the exposure had ended before the event, or that the
-- update had been installed again since, else null.
-- age: of the install, 0 under two minutes, 1 under ten, 2 under an hour, 3 under four hours, 4 under a day; by the minutes
-- in which the host-time is counted, or of what everybody got within one of them some would crash at an age that nobody has.
-- boot_age: of a session that began since the install, 0 under two minutes, 1 under ten; -1 where it came later or in none.
WITH had AS (
  SELECT
    events.event, events.tick AS event_tick, events.boot_us, history.update_id,
    CAST(epoch_us(history.exposed_from) AS BIGINT) AS from_us,
    (events.at_us + 59999999) // 60000000 AS minute,
    (CAST(epoch_us(history.exposed_from) AS BIGINT) + 59999999) // 60000000 AS from_minute,
    (events.boot_us + 59999999) // 60000000 AS boot_minute,
    (CAST(epoch_us(history.known_at) AS BIGINT) + 59999999) // 60000000 AS known_tick,
    min((CAST(epoch_us(history.since_known) AS BIGINT) + 59999999) // 60000000)
      FILTER (CAST(epoch_us(history.exposed_until) AS BIGINT) <= events.at_us) AS ended_tick
  FROM events
  JOIN known_history AS history
    ON history.host_id = events.host_id
    AND CAST(epoch_us(history.exposed_from) AS BIGINT) <= events.at_us
    AND CAST(epoch_us(history.exposed_from) AS BIGINT) > events.at_us - 86400000000
  GROUP BY ALL
),
dated AS (
  SELECT
    *, greatest(event_tick, known_tick) AS tick,
    least(ended_tick, min(greatest(event_tick, known_tick)) OVER (
      PARTITION BY event, update_id ORDER BY from_us ROWS BETWEEN 1 FOLLOWING AND UNBOUNDED FOLLOWING
    )) AS gone_tick
  FROM had
)
SELECT
  event, update_id, CAST(tick AS INTEGER) AS tick, CAST(gone_tick AS INTEGER) AS gone_tick,
  CAST(CASE
    WHEN minute < from_minute + 2 THEN 0
    WHEN minute < from_minute + 10 THEN 1
    WHEN minute < from_minute + 60 THEN 2
    WHEN minute < from_minute + 240 THEN 3
    ELSE 4
  END AS INTEGER) AS age,
  CAST(CASE
    WHEN coalesce(boot_us <= from_us OR minute >= boot_minute + 10, true) THEN -1
    WHEN minute < boot_minute + 2 THEN 0
    ELSE 1
  END AS INTEGER) AS boot_age
FROM dated
WHERE tick < coalesce(gone_tick, 2147483647)
ORDER BY tick, event, update_id, age
