-- Hosts that crashed again: crashes that are no events, by the event that they follow, the latest of their host by then, the
-- minute in which they happened and the tick at which they were known. Several of one host in a minute are one row.
-- Reads the kept table events.
WITH again AS (
  SELECT
    host_id, CAST(epoch_us(placed_at) AS BIGINT) AS placed_us, CAST(epoch_us(known_at) AS BIGINT) AS known_us
  FROM crashes
  WHERE NOT EXISTS (SELECT 1 FROM events WHERE events.outcome = 0 AND events.event_id = crashes.crash_id)
),
first_ones AS (
  SELECT host_id, event, known_us FROM events WHERE outcome = 0
)
SELECT DISTINCT
  first_ones.event,
  CAST((again.placed_us + 59999999) // 60000000 AS INTEGER) AS minute,
  CAST((again.known_us + 59999999) // 60000000 AS INTEGER) AS tick
FROM again
ASOF JOIN first_ones ON first_ones.host_id = again.host_id AND again.known_us >= first_ones.known_us
ORDER BY tick, event, minute
