-- Groups, sites and customers, one row each, in the order in which they were first known, and the tick of that.
SELECT dimension, place, CAST((min(from_us) + 59999999) // 60000000 AS INTEGER) AS known_tick
FROM (
  SELECT 'group' AS dimension, "group" AS place, from_us FROM host_cell
  UNION ALL SELECT 'site', site, from_us FROM host_cell
  UNION ALL SELECT 'customer', customer, from_us FROM host_cell
) AS named
WHERE place IS NOT NULL
GROUP BY dimension, place
ORDER BY min(from_us), dimension, place
