-- Events of hosts that had an update, for however long, one row per event, with the tick at which both were known.
-- $update_id: the update. Reads the kept tables events and known_history.
SELECT
  events.event,
  CAST(min(greatest(events.tick, (CAST(epoch_us(history.known_at) AS BIGINT) + 59999999) // 60000000)) AS INTEGER) AS tick
FROM events
JOIN known_history AS history
  ON history.host_id = events.host_id AND history.update_id = $update_id
  AND CAST(epoch_us(history.exposed_from) AS BIGINT) <= events.at_us
  AND coalesce(CAST(epoch_us(history.exposed_until) AS BIGINT) > events.at_us, true)
GROUP BY events.event
ORDER BY events.event
