-- Crash reports and hosts behind some events, in one row: a host's from its first of them on, until an instant.
-- $events: numbers of the events, of which those that are crashes count. $until: null while it goes on.
-- Reads the kept table events.
WITH struck AS (
  SELECT host_id, min(at_us) AS from_us FROM events
  WHERE outcome = 0 AND event IN (SELECT unnest($events))
  GROUP BY host_id
)
SELECT count(*) AS crashes, count(DISTINCT struck.host_id) AS hosts_crashed
FROM struck
JOIN crashes ON crashes.host_id = struck.host_id AND CAST(epoch_us(crashes.placed_at) AS BIGINT) >= struck.from_us
WHERE crashes.placed_at <= coalesce(CAST($until AS TIMESTAMPTZ), 'infinity')
