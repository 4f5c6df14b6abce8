-- Whom at its own place some events could have happened to, one row per event and dimension (os_build, agent_version, model, region,
-- group, site, customer) in which its host has a value. hosts: at that place, of the same OS, servers or not, up for as long (see at_risk), at risk then;
-- hosts_with: those of them that had an update; the event's own host is one of them. had: whether that one had it.
-- As it was known at $at: installs and presence. $update_id: the update. $events: numbers of the events.
-- Where more than 20,000 hosts had ever been at risk by then one host in so many is counted.
-- Reads the kept tables events, cells, host_cell, known_history and at_risk.
WITH asked AS (
  SELECT
    events.event, events.host_id, events.at_us, events.since_boot, cells.os_type, cells.always_on,
    cells.os_build, cells.agent_version, cells.model, cells.region, "group", site, customer
  FROM events LEFT JOIN cells ON cells.cell = events.cell
  WHERE events.event IN (SELECT unnest($events))
),
history AS (
  SELECT
    host_id, CAST(epoch_us(exposed_from) AS BIGINT) AS from_us,
    coalesce(CAST(epoch_us(exposed_until) AS BIGINT), 9223372036854775807) AS until_us
  FROM known_history
  WHERE update_id = $update_id AND known_at <= CAST($at AS TIMESTAMPTZ)
    AND coalesce(since_known <= CAST($at AS TIMESTAMPTZ), true) AND coalesce(superseded_known > CAST($at AS TIMESTAMPTZ), true)
),
counted AS (
  SELECT
    at_risk.host_id, at_risk.since_boot, at_risk.from_us, at_risk.until_us, cells.os_type, cells.always_on,
    cells.os_build, cells.agent_version, cells.model, cells.region, host_cell."group", host_cell.site, host_cell.customer
  FROM at_risk
  LEFT JOIN cells ON cells.cell = at_risk.cell
  LEFT JOIN host_cell
    ON host_cell.host_id = at_risk.host_id AND host_cell.from_us <= at_risk.from_us
    AND coalesce(host_cell.until_us, 9223372036854775807) > at_risk.from_us
  WHERE hash(at_risk.host_id) % (
    SELECT CAST(1 + count(DISTINCT host_id) // 20000 AS UBIGINT) FROM at_risk
    WHERE from_us <= CAST(epoch_us(CAST($at AS TIMESTAMPTZ)) AS BIGINT)
  ) = 0
),
beside AS (
  SELECT event, host_id, at_us, os_build, agent_version, model, region, "group", site, customer FROM asked
  UNION ALL
  SELECT asked.event, counted.host_id, asked.at_us, counted.os_build, counted.agent_version, counted.model, counted.region,
    counted."group", counted.site, counted.customer
  FROM asked
  JOIN counted
    ON counted.since_boot = asked.since_boot AND counted.always_on IS NOT DISTINCT FROM asked.always_on
    AND counted.os_type IS NOT DISTINCT FROM asked.os_type AND counted.host_id <> asked.host_id
    AND counted.from_us <= asked.at_us AND coalesce(counted.until_us, 9223372036854775807) > asked.at_us
),
told AS (
  SELECT DISTINCT
    beside.*, EXISTS (
      SELECT 1 FROM history
      WHERE history.host_id = beside.host_id AND history.from_us <= beside.at_us AND history.until_us > beside.at_us
    ) AS had
  FROM beside
),
placed AS (
  SELECT event, host_id, had, 'os_build' AS dimension, os_build AS place FROM told
  UNION ALL SELECT event, host_id, had, 'agent_version', agent_version FROM told
  UNION ALL SELECT event, host_id, had, 'model', model FROM told
  UNION ALL SELECT event, host_id, had, 'region', region FROM told
  UNION ALL SELECT event, host_id, had, 'group', "group" FROM told
  UNION ALL SELECT event, host_id, had, 'site', site FROM told
  UNION ALL SELECT event, host_id, had, 'customer', customer FROM told
)
SELECT
  own.event, own.dimension, CAST(count(*) AS INTEGER) AS hosts, CAST(count(*) FILTER (WHERE placed.had) AS INTEGER) AS hosts_with,
  bool_or(placed.had AND placed.host_id = own.host_id) AS had
FROM placed
JOIN (SELECT placed.* FROM placed JOIN asked USING (event, host_id)) AS own
  ON own.event = placed.event AND own.dimension = placed.dimension AND own.place = placed.place
GROUP BY own.event, own.dimension
ORDER BY own.event, own.dimension
