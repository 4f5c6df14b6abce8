-- Where the hosts with an update stood when it was known that they had it, one row per tick of that, minute of the install,
-- cell and place (the number of a group, site or customer; null: wherever they stood). Of a host its first install counts.
-- hosts: how many; prints: of these, the same for the same hosts and hardly ever for others.
-- $update_id: the update. Reads the kept tables known_history, host_cell and numbered_places.
WITH had AS (
  SELECT
    host_id, CAST(epoch_us(greatest(exposed_from, known_at)) AS BIGINT) AS at_us,
    (CAST(epoch_us(exposed_from) AS BIGINT) + 59999999) // 60000000 AS minute,
    (CAST(epoch_us(greatest(exposed_from, known_at)) AS BIGINT) + 59999999) // 60000000 AS tick
  FROM known_history
  WHERE update_id = $update_id AND since_known IS NULL
  QUALIFY row_number() OVER (PARTITION BY host_id ORDER BY greatest(exposed_from, known_at), exposed_from) = 1
),
placed AS (
  SELECT
    had.tick, had.minute, coalesce(host_cell.cell, -1) AS cell, hash(had.host_id) AS print,
    of_group.place AS group_place, of_site.place AS site_place, of_customer.place AS customer_place
  FROM had
  LEFT JOIN host_cell
    ON host_cell.host_id = had.host_id
    AND host_cell.from_us <= had.at_us AND coalesce(host_cell.until_us, 9223372036854775807) > had.at_us
  LEFT JOIN numbered_places AS of_group ON of_group.dimension = 'group' AND of_group.name = host_cell."group"
  LEFT JOIN numbered_places AS of_site ON of_site.dimension = 'site' AND of_site.name = host_cell.site
  LEFT JOIN numbered_places AS of_customer
    ON of_customer.dimension = 'customer' AND of_customer.name = host_cell.customer
),
counted AS (
  SELECT
    tick, minute, cell, coalesce(group_place, site_place, customer_place) AS place,
    grouping(group_place) + grouping(site_place) + grouping(customer_place) = 3 AS everywhere,
    count(*) AS hosts, bit_xor(print) AS prints
  FROM placed
  GROUP BY GROUPING SETS (
    (tick, minute, cell), (tick, minute, cell, group_place), (tick, minute, cell, site_place),
    (tick, minute, cell, customer_place)
  )
)
SELECT
  CAST(tick AS INTEGER) AS tick, CAST(minute AS INTEGER) AS minute, CAST(cell AS INTEGER) AS cell, place,
  CAST(hosts AS INTEGER) AS hosts, prints
FROM counted
WHERE everywhere OR place IS NOT NULL
ORDER BY tick, minute, cell, place
