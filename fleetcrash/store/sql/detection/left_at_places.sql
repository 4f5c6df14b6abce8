-- Where hosts stood that left and are not always on, one row per tick at which it was known, dimension (group, site,
-- customer) and place. hosts: all that left; with_update: those that had got an update in
-- the hour before, or in the day before and had booted since, less than ten minutes ago, whatever became of it.
-- $update_id: the update. Reads the kept tables gone, known_history and host_cell.
WITH standing AS (
  SELECT host_id, "group", site, customer, from_us, coalesce(until_us, 9223372036854775807) AS until_us FROM host_cell
),
placed AS (
  UNPIVOT standing ON "group", site, customer INTO NAME dimension VALUE place
),
counted AS (
  SELECT host_id, left_us, gone_tick AS tick, 1 AS hosts, 0 AS with_update FROM gone WHERE in_time AND NOT always_on
  UNION ALL
  SELECT DISTINCT gone.host_id, gone.left_us, gone.gone_tick, 0, 1
  FROM gone
  JOIN known_history AS history
    ON history.host_id = gone.host_id AND history.update_id = $update_id AND history.known_at <= gone.gone_known
    AND CAST(epoch_us(history.exposed_from) AS BIGINT) <= gone.left_us
    AND (
      CAST(epoch_us(history.exposed_from) AS BIGINT) > gone.left_us - 3600000000
      OR (
        gone.since_boot = 0 AND CAST(epoch_us(history.exposed_from) AS BIGINT) < gone.boot_us
        AND CAST(epoch_us(history.exposed_from) AS BIGINT) > gone.left_us - 86400000000
      )
    )
  WHERE gone.in_time AND NOT gone.always_on AND NOT gone.may_restart
)
SELECT
  CAST(tick AS INTEGER) AS tick, dimension, place,
  CAST(sum(hosts) AS INTEGER) AS hosts, CAST(sum(with_update) AS INTEGER) AS with_update
FROM counted
JOIN placed
  ON placed.host_id = counted.host_id AND placed.from_us <= counted.left_us AND placed.until_us > counted.left_us
GROUP BY ALL
ORDER BY tick, dimension, place
