-- Change in the number of hosts at risk, one row per minute, place (group, site or customer), OS, time since boot.
-- $after_tick: minutes up to it are left out.
WITH placed AS (
  SELECT at_risk.from_us, at_risk.until_us, at_risk.since_boot, cells.os_type, cells.always_on, dimension, place
  FROM at_risk
  JOIN (
    SELECT host_id, from_us, 'group' AS dimension, "group" AS place FROM host_cell WHERE "group" IS NOT NULL
    UNION ALL SELECT host_id, from_us, 'site', site FROM host_cell WHERE site IS NOT NULL
    UNION ALL SELECT host_id, from_us, 'customer', customer FROM host_cell WHERE customer IS NOT NULL
  ) AS host_place ON host_place.host_id = at_risk.host_id
  JOIN host_cell AS here ON here.host_id = host_place.host_id AND here.from_us = host_place.from_us
  JOIN cells ON cells.cell = at_risk.cell
  WHERE here.cell = at_risk.cell
    AND at_risk.from_us >= here.from_us AND at_risk.from_us < coalesce(here.until_us, 9223372036854775807)
)
SELECT
  CAST(minute AS INTEGER) AS minute, dimension, place, os_type, always_on, since_boot,
  CAST(sum(change) AS INTEGER) AS change
FROM (
  SELECT (from_us + 59999999) // 60000000 AS minute, dimension, place, os_type, always_on, since_boot, 1 AS change FROM placed
  UNION ALL
  SELECT (until_us + 59999999) // 60000000, dimension, place, os_type, always_on, since_boot, -1 FROM placed WHERE until_us IS NOT NULL
) AS changed
WHERE minute > $after_tick
GROUP BY minute, dimension, place, os_type, always_on, since_boot
HAVING sum(change) <> 0
ORDER BY minute, dimension, place, os_type, always_on, since_boot
