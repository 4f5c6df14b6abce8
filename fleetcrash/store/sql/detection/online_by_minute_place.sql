-- Change in the number of hosts at risk, one row per minute, place (group, site or customer), OS, time since boot.
-- To ten minutes, rounded up: there are thousands of places, and their rates are watched over hours.
-- $after_tick: minutes up to it are left out. Reads the kept tables at_risk and cells.
WITH changed AS (
  SELECT (from_us + 599999999) // 600000000 * 10 AS minute, cell, since_boot, "group", site, customer, 1 AS change
  FROM at_risk
  UNION ALL
  SELECT (until_us + 599999999) // 600000000 * 10, cell, since_boot, "group", site, customer, -1
  FROM at_risk WHERE until_us IS NOT NULL
),
counted AS (
  SELECT minute, cells.os_type, cells.always_on, since_boot, "group", site, customer, sum(change) AS change
  FROM changed JOIN cells ON cells.cell = changed.cell
  WHERE minute > $after_tick
  GROUP BY ALL
  HAVING sum(change) <> 0
),
placed AS (
  SELECT minute, 'group' AS dimension, "group" AS place, os_type, always_on, since_boot, change FROM counted
  UNION ALL SELECT minute, 'site', site, os_type, always_on, since_boot, change FROM counted
  UNION ALL SELECT minute, 'customer', customer, os_type, always_on, since_boot, change FROM counted
)
SELECT
  CAST(minute AS INTEGER) AS minute, dimension, place, os_type, always_on, since_boot,
  CAST(sum(change) AS INTEGER) AS change
FROM placed
WHERE place IS NOT NULL
GROUP BY minute, dimension, place, os_type, always_on, since_boot
HAVING sum(change) <> 0
ORDER BY minute, dimension, place, os_type, always_on, since_boot
