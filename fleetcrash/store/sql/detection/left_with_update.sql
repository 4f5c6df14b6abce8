-- Those of the hosts that left, not being always on, that had got an update in the hour before, or in the day before and
-- had booted since, less than ten minutes ago; as far as that was known when it was known that they had left. One row per
-- tick at which it was, minute in which they left, update, cell, time since boot and age of the install (0 under two
-- minutes, 1 under ten, 2 under an hour); once more by the age of the boot (3 under two minutes, 4 under ten). An install
-- that is told later does not count, nor does it among those who stayed.
-- $after_tick: ticks up to it are left out. Reads the kept tables gone and known_history.
WITH had AS (
  SELECT
    gone.host_id, gone.left_us, gone.boot_us, gone.gone_tick, gone.cell, gone.since_boot, history.update_id,
    max(CAST(epoch_us(history.exposed_from) AS BIGINT)) AS from_us
  FROM gone
  JOIN known_history AS history
    ON history.host_id = gone.host_id
    AND CAST(epoch_us(history.exposed_from) AS BIGINT) <= gone.left_us
    AND CAST(epoch_us(history.exposed_from) AS BIGINT)
      > gone.left_us - CASE WHEN gone.since_boot = 0 THEN 86400000000 ELSE 3600000000 END
    -- The version that was held to be true then, and by which the exposure had not ended.
    AND history.known_at <= gone.gone_known
    AND coalesce(history.since_known <= gone.gone_known, true)
    AND coalesce(history.superseded_known > gone.gone_known, true)
    AND coalesce(CAST(epoch_us(history.exposed_until) AS BIGINT) > gone.left_us, true)
  WHERE gone.in_time AND NOT gone.always_on AND NOT gone.may_restart AND gone.gone_tick > $after_tick
  GROUP BY ALL
),
aged AS (
  SELECT
    *,
    CASE
      WHEN left_us < from_us + 120000000 THEN 0
      WHEN left_us < from_us + 600000000 THEN 1
      ELSE 2
    END AS age
  FROM had WHERE left_us < from_us + 3600000000
  UNION ALL
  SELECT *, CASE WHEN left_us < boot_us + 120000000 THEN 3 ELSE 4 END AS age
  FROM had WHERE since_boot = 0 AND from_us < boot_us
)
SELECT
  CAST(gone_tick AS INTEGER) AS tick, CAST((left_us + 59999999) // 60000000 AS INTEGER) AS minute, update_id,
  CAST(cell AS INTEGER) AS cell, since_boot, CAST(age AS INTEGER) AS age, CAST(count(*) AS INTEGER) AS hosts
FROM aged
GROUP BY ALL
ORDER BY tick, minute, update_id, cell, since_boot, age
