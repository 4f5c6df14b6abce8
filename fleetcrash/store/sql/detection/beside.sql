-- What else the hosts with an update had when they got it, as changes in the number of hosts: one row per tick at which
-- the change became known, tick at which it was known that they have the update, cell, other update (null: whatever else they
-- had) and host. Of the hosts with an event each by itself; of all hosts, with host_id null, one in four, which are the same at
-- any instant.
-- $update_id: the update.
WITH struck AS (
  SELECT DISTINCT events.host_id
  FROM exposed_events JOIN events ON events.event = exposed_events.event
  WHERE exposed_events.update_id = $update_id
),
had AS (
  SELECT
    host_id, exposed_from, hash(host_id) % 4 = 0 AS is_counted, host_id IN (SELECT host_id FROM struck) AS is_struck,
    (CAST(epoch_us(known_at) AS BIGINT) + 59999999) // 60000000 AS known_tick
  FROM known_history
  WHERE update_id = $update_id AND since_known IS NULL
    AND (hash(host_id) % 4 = 0 OR host_id IN (SELECT host_id FROM struck))
  QUALIFY row_number() OVER (PARTITION BY host_id ORDER BY known_at, exposed_from) = 1
),
placed AS (
  SELECT had.*, coalesce(host_cell.cell, -1) AS cell
  FROM had
  LEFT JOIN host_cell
    ON host_cell.host_id = had.host_id
    AND CAST(epoch_us(had.exposed_from) AS BIGINT) >= host_cell.from_us
    AND CAST(epoch_us(had.exposed_from) AS BIGINT) < coalesce(host_cell.until_us, 9223372036854775807)
),
others AS (
  SELECT
    placed.host_id, known_tick, cell, is_counted, is_struck, history.update_id AS other, history.exposed_from,
    greatest(known_tick, min((CAST(epoch_us(history.known_at) AS BIGINT) + 59999999) // 60000000)) AS tick,
    min((CAST(epoch_us(history.since_known) AS BIGINT) + 59999999) // 60000000)
      FILTER (history.exposed_until <= placed.exposed_from) AS gone_tick
  FROM placed
  JOIN known_history AS history
    ON history.host_id = placed.host_id
    AND history.update_id <> $update_id
    AND history.exposed_from <= placed.exposed_from
  GROUP BY placed.host_id, cell, is_counted, is_struck, known_tick, other, history.exposed_from
),
changed AS (
  SELECT host_id, known_tick AS since, cell, is_counted, is_struck, NULL AS other, known_tick AS tick, 1 AS change
  FROM placed
  UNION ALL
  SELECT host_id, known_tick, cell, is_counted, is_struck, other, tick, 1
  FROM others WHERE tick < coalesce(gone_tick, 9223372036854775807)
  UNION ALL
  SELECT host_id, known_tick, cell, is_counted, is_struck, other, gone_tick, -1
  FROM others WHERE gone_tick > tick
)
SELECT
  CAST(tick AS INTEGER) AS tick, CAST(since AS INTEGER) AS since, NULL AS host_id, cell, other,
  CAST(sum(change) AS INTEGER) AS change
FROM changed WHERE is_counted
GROUP BY ALL
UNION ALL
SELECT CAST(tick AS INTEGER), CAST(since AS INTEGER), host_id, cell, other, CAST(sum(change) AS INTEGER)
FROM changed WHERE is_struck
GROUP BY ALL
ORDER BY tick, since, host_id, cell, other
