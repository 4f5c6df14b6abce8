-- Change in the number of hosts at risk, one row per minute, place (the number of a group, site or customer), OS, always on
-- and time since boot.
-- To ten minutes, rounded up: there are thousands of places, and their rates are watched over hours. But the first ten
-- minutes after a boot are counted to the minute, in which a place where all boot at one time may crash.
-- $after_tick: minutes up to it are left out. Reads the kept tables at_risk, host_cell, cells and numbered_places.
WITH standing AS (
  SELECT
    host_cell.host_id, host_cell.from_us, coalesce(host_cell.until_us, 9223372036854775807) AS until_us,
    of_group.place AS group_place, of_site.place AS site_place, of_customer.place AS customer_place
  FROM host_cell
  LEFT JOIN numbered_places AS of_group ON of_group.dimension = 'group' AND of_group.name = host_cell."group"
  LEFT JOIN numbered_places AS of_site ON of_site.dimension = 'site' AND of_site.name = host_cell.site
  LEFT JOIN numbered_places AS of_customer
    ON of_customer.dimension = 'customer' AND of_customer.name = host_cell.customer
),
placed AS (
  SELECT
    at_risk.from_us, at_risk.until_us, at_risk.cell, at_risk.since_boot,
    CASE WHEN at_risk.since_boot = 0 THEN 1 ELSE 10 END AS step,
    standing.group_place, standing.site_place, standing.customer_place
  FROM at_risk
  JOIN standing
    ON standing.host_id = at_risk.host_id AND standing.from_us <= at_risk.from_us AND standing.until_us > at_risk.from_us
),
changed AS (
  SELECT
    CAST((from_us + 60000000 * step - 1) // (60000000 * step) * step AS INTEGER) AS at_minute, cell, since_boot,
    group_place, site_place, customer_place, 1 AS change
  FROM placed
  UNION ALL
  SELECT
    CAST((until_us + 60000000 * step - 1) // (60000000 * step) * step AS INTEGER), cell, since_boot,
    group_place, site_place, customer_place, -1
  FROM placed WHERE until_us IS NOT NULL
),
counted AS (
  SELECT
    at_minute, cells.os_type, cells.always_on, since_boot, coalesce(group_place, site_place, customer_place) AS place,
    sum(change) AS change
  FROM changed JOIN cells ON cells.cell = changed.cell
  WHERE at_minute > $after_tick
  GROUP BY GROUPING SETS (
    (at_minute, cells.os_type, cells.always_on, since_boot, group_place),
    (at_minute, cells.os_type, cells.always_on, since_boot, site_place),
    (at_minute, cells.os_type, cells.always_on, since_boot, customer_place)
  )
  HAVING sum(change) <> 0
)
SELECT at_minute AS minute, place, os_type, always_on, since_boot, CAST(change AS INTEGER) AS change
FROM counted
WHERE place IS NOT NULL
ORDER BY at_minute, place, os_type, always_on, since_boot
