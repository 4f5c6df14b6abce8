-- Groups, sites and customers, one row each, numbered in the order in which they were first known; known_tick: of that.
-- Reads the kept table host_cell.
SELECT
  CAST(row_number() OVER (ORDER BY min(from_us), dimension, name) - 1 AS INTEGER) AS place, dimension, name,
  CAST((min(from_us) + 59999999) // 60000000 AS INTEGER) AS known_tick
FROM (
  SELECT 'group' AS dimension, "group" AS name, from_us FROM host_cell
  UNION ALL SELECT 'site', site, from_us FROM host_cell
  UNION ALL SELECT 'customer', customer, from_us FROM host_cell
) AS named
WHERE name IS NOT NULL
GROUP BY dimension, name
