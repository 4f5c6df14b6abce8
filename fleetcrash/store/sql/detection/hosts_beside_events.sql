-- Whom some events could have happened to, one row per event and dimension (model, region, group, site, customer) in which its
-- host has a value. hosts: of its OS build, servers or not, in some cells, at risk then, with an update for less than a day;
-- hosts_there: those of them at its place. Of its build, or a group of servers would stand out where servers' builds alone are hit.
-- Presence and installs count as they were known when the event was. The host itself is one of them, known to have been
-- online or not.
-- $update_id: the update. $events, $cells: numbers of the events, and of the cells.
-- Reads the kept tables events, cells, host_cell, known_history and at_risk.
WITH asked AS (
  SELECT
    events.event, host_id, cells.os_type, cells.os_build, cells.always_on, at_us, make_timestamptz(known_us) AS told_at,
    cells.model, cells.region, "group", site, customer
  FROM events LEFT JOIN cells ON cells.cell = events.cell
  WHERE events.event IN (SELECT unnest($events))
),
stretched AS (
  SELECT
    at_risk.host_id, cells.os_type, cells.os_build, cells.always_on, cells.model, cells.region,
    host_cell."group", host_cell.site, host_cell.customer,
    greatest(at_risk.from_us, CAST(epoch_us(exposed_from) AS BIGINT)) AS from_us,
    least(
      at_risk.until_us, CAST(epoch_us(exposed_until) AS BIGINT), CAST(epoch_us(exposed_from) AS BIGINT) + 86400000000
    ) AS until_us,
    greatest(history.known_at, history.since_known) AS known_at, history.superseded_known
  FROM known_history AS history
  JOIN at_risk ON at_risk.host_id = history.host_id
  LEFT JOIN cells ON cells.cell = at_risk.cell
  LEFT JOIN host_cell
    ON host_cell.host_id = at_risk.host_id AND host_cell.from_us <= at_risk.from_us
    AND coalesce(host_cell.until_us, 9223372036854775807) > at_risk.from_us
  WHERE history.update_id = $update_id AND at_risk.cell IN (SELECT unnest($cells))
),
beside AS (
  SELECT DISTINCT
    asked.event, stretched.host_id, stretched.model, stretched.region, stretched."group", stretched.site, stretched.customer
  FROM asked
  JOIN stretched
    ON stretched.os_type IS NOT DISTINCT FROM asked.os_type AND stretched.os_build IS NOT DISTINCT FROM asked.os_build
    AND stretched.always_on = asked.always_on AND stretched.host_id <> asked.host_id
    AND stretched.from_us <= asked.at_us AND stretched.until_us > asked.at_us
    AND stretched.known_at <= asked.told_at AND coalesce(stretched.superseded_known > asked.told_at, true)
),
counted AS (
  SELECT
    asked.event, asked.model, asked.region, asked."group", asked.site, asked.customer,
    1 + count(beside.host_id) AS hosts,
    1 + count(*) FILTER (WHERE beside.model = asked.model) AS of_model,
    1 + count(*) FILTER (WHERE beside.region = asked.region) AS of_region,
    1 + count(*) FILTER (WHERE beside."group" = asked."group") AS of_group,
    1 + count(*) FILTER (WHERE beside.site = asked.site) AS of_site,
    1 + count(*) FILTER (WHERE beside.customer = asked.customer) AS of_customer
  FROM asked LEFT JOIN beside ON beside.event = asked.event
  GROUP BY asked.event, asked.model, asked.region, asked."group", asked.site, asked.customer
)
SELECT event, dimension, place, CAST(hosts AS INTEGER) AS hosts, CAST(hosts_there AS INTEGER) AS hosts_there
FROM (
  SELECT event, 'model' AS dimension, model AS place, hosts, of_model AS hosts_there FROM counted
  UNION ALL SELECT event, 'region', region, hosts, of_region FROM counted
  UNION ALL SELECT event, 'group', "group", hosts, of_group FROM counted
  UNION ALL SELECT event, 'site', site, hosts, of_site FROM counted
  UNION ALL SELECT event, 'customer', customer, hosts, of_customer FROM counted
)
WHERE place IS NOT NULL
ORDER BY event, dimension
