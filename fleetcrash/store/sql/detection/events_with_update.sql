-- Events of hosts that had an update, for however long, one row per event, with the tick at which both were known; an
-- exposure that was known by then to have ended before the event does not count.
-- $update_id: the update. Reads the kept tables events and known_history.
WITH had AS (
  SELECT
    events.event, events.tick AS event_tick,
    (CAST(epoch_us(history.known_at) AS BIGINT) + 59999999) // 60000000 AS known_tick,
    min((CAST(epoch_us(history.since_known) AS BIGINT) + 59999999) // 60000000)
      FILTER (CAST(epoch_us(history.exposed_until) AS BIGINT) <= events.at_us) AS ended_tick
  FROM events
  JOIN known_history AS history
    ON history.host_id = events.host_id AND history.update_id = $update_id
    AND CAST(epoch_us(history.exposed_from) AS BIGINT) <= events.at_us
  GROUP BY events.event, events.tick, history.known_at, history.exposed_from
)
SELECT event, CAST(min(greatest(event_tick, known_tick)) AS INTEGER) AS tick
FROM had
WHERE coalesce(ended_tick > greatest(event_tick, known_tick), true)
GROUP BY event
ORDER BY event
