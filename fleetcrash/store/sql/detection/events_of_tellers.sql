-- Events whose hosts tell of installs, of whatever update, one row per event, with the tick at which both were known.
-- Reads the kept tables events and known_history.
WITH tellers AS (
  SELECT host_id, min((CAST(epoch_us(known_at) AS BIGINT) + 59999999) // 60000000) AS known_tick
  FROM known_history
  GROUP BY host_id
)
SELECT event, CAST(greatest(events.tick, tellers.known_tick) AS INTEGER) AS tick
FROM events JOIN tellers ON tellers.host_id = events.host_id
ORDER BY event
