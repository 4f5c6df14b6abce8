-- Updates that the host of an event had had for less than a day, one row per event and update.
-- tick: when both were known; gone_tick: when it turned out that the exposure had ended before the event, else null.
-- age: of the install, 0 under two minutes, 1 under ten, 2 under an hour, 3 under a day.
SELECT
  events.event, exposures.update_id,
  CAST(greatest(events.tick, (CAST(epoch_us(exposures.known_at) AS BIGINT) + 59999999) // 60000000) AS INTEGER) AS tick,
  CAST(CASE WHEN CAST(epoch_us(exposures.exposed_until) AS BIGINT) <= events.at_us
    THEN (CAST(epoch_us(exposures.until_known) AS BIGINT) + 59999999) // 60000000 END AS INTEGER) AS gone_tick,
  CAST(CASE
    WHEN events.at_us < CAST(epoch_us(exposures.exposed_from) AS BIGINT) + 120000000 THEN 0
    WHEN events.at_us < CAST(epoch_us(exposures.exposed_from) AS BIGINT) + 600000000 THEN 1
    WHEN events.at_us < CAST(epoch_us(exposures.exposed_from) AS BIGINT) + 3600000000 THEN 2
    ELSE 3
  END AS INTEGER) AS age
FROM events
JOIN exposures
  ON exposures.host_id = events.host_id
  AND CAST(epoch_us(exposures.exposed_from) AS BIGINT) <= events.at_us
  AND CAST(epoch_us(exposures.exposed_from) AS BIGINT) > events.at_us - 86400000000
QUALIFY row_number() OVER (PARTITION BY events.event, exposures.update_id ORDER BY exposures.exposed_from DESC) = 1
ORDER BY tick, events.event, exposures.update_id
