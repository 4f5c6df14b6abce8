-- Change in the number of hosts at risk, one row per minute, cell and time since boot.
-- $after_tick: minutes up to it are left out.
SELECT
  CAST(minute AS INTEGER) AS minute, CAST(cell AS INTEGER) AS cell, since_boot, CAST(sum(change) AS INTEGER) AS change
FROM (
  SELECT (from_us + 59999999) // 60000000 AS minute, cell, since_boot, 1 AS change FROM at_risk
  UNION ALL
  SELECT (until_us + 59999999) // 60000000, cell, since_boot, -1 FROM at_risk WHERE until_us IS NOT NULL
) AS changed
WHERE minute > $after_tick
GROUP BY minute, cell, since_boot
HAVING sum(change) <> 0
ORDER BY minute, cell, since_boot
