-- Hosts that left and are not always on, those that may be restarting among them, one row per tick at which it was known,
-- minute in which they left, cell and time since boot.
-- $after_tick: ticks up to it are left out. Reads the kept table gone.
SELECT
  CAST(gone_tick AS INTEGER) AS tick, CAST((left_us + 59999999) // 60000000 AS INTEGER) AS minute,
  CAST(cell AS INTEGER) AS cell, since_boot, CAST(count(*) AS INTEGER) AS hosts
FROM gone
WHERE in_time AND NOT always_on AND gone_tick > $after_tick
GROUP BY ALL
ORDER BY tick, minute, cell, since_boot
