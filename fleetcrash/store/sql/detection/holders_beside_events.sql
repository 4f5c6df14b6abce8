-- Which updates the hosts of some events had, and how many of those beside them: one row per event and update, for updates that
-- four in five of them had or more, and one per event without an update, which counts the hosts.
-- hosts: at risk then, of the same OS and region, servers or not, up for as long (see at_risk), or those of them that had the
-- update, however long ago they got it; the event's own is one of them. had: whether that one had it.
-- As it was known at $at: installs and presence. $events: numbers of the events.
-- Where more than 20,000 hosts had ever been at risk by then one host in so many is counted.
-- Reads the kept tables events, cells, known_history and at_risk.
WITH asked AS (
  SELECT events.event, events.host_id, events.at_us, events.since_boot, cells.os_type, cells.region, cells.always_on
  FROM events LEFT JOIN cells ON cells.cell = events.cell
  WHERE events.event IN (SELECT unnest($events))
),
history AS (
  SELECT
    host_id, update_id, CAST(epoch_us(exposed_from) AS BIGINT) AS from_us,
    coalesce(CAST(epoch_us(exposed_until) AS BIGINT), 9223372036854775807) AS until_us
  FROM known_history
  WHERE known_at <= CAST($at AS TIMESTAMPTZ)
    AND coalesce(since_known <= CAST($at AS TIMESTAMPTZ), true) AND coalesce(superseded_known > CAST($at AS TIMESTAMPTZ), true)
),
struck AS (
  SELECT DISTINCT asked.event, history.update_id
  FROM asked
  JOIN history
    ON history.host_id = asked.host_id AND history.from_us <= asked.at_us AND history.until_us > asked.at_us
),
common AS (
  SELECT update_id FROM struck GROUP BY update_id HAVING count(*) >= 0.8 * (SELECT count(*) FROM asked)
),
sampled AS (
  SELECT at_risk.host_id, at_risk.since_boot, at_risk.from_us, at_risk.until_us, cells.os_type, cells.region, cells.always_on
  FROM at_risk LEFT JOIN cells ON cells.cell = at_risk.cell
  WHERE hash(at_risk.host_id) % (
    SELECT CAST(1 + count(DISTINCT host_id) // 20000 AS UBIGINT) FROM at_risk
    WHERE from_us <= CAST(epoch_us(CAST($at AS TIMESTAMPTZ)) AS BIGINT)
  ) = 0
),
beside AS (
  SELECT asked.event, asked.at_us, sampled.host_id
  FROM asked
  JOIN sampled
    ON sampled.since_boot = asked.since_boot AND sampled.always_on IS NOT DISTINCT FROM asked.always_on
    AND sampled.os_type IS NOT DISTINCT FROM asked.os_type AND sampled.region IS NOT DISTINCT FROM asked.region
    AND sampled.host_id <> asked.host_id
    AND sampled.from_us <= asked.at_us AND coalesce(sampled.until_us, 9223372036854775807) > asked.at_us
),
held AS (
  SELECT beside.event, history.update_id, count(DISTINCT beside.host_id) AS hosts
  FROM beside
  JOIN history
    ON history.host_id = beside.host_id AND history.from_us <= beside.at_us AND history.until_us > beside.at_us
  WHERE history.update_id IN (SELECT update_id FROM common)
  GROUP BY beside.event, history.update_id
)
SELECT event, update_id, CAST(hosts AS INTEGER) AS hosts, had
FROM (
  SELECT
    asked.event, common.update_id, struck.event IS NOT NULL AS had,
    coalesce(held.hosts, 0) + CASE WHEN struck.event IS NULL THEN 0 ELSE 1 END AS hosts
  FROM asked
  CROSS JOIN common
  LEFT JOIN struck ON struck.event = asked.event AND struck.update_id = common.update_id
  LEFT JOIN held ON held.event = asked.event AND held.update_id = common.update_id
  UNION ALL
  SELECT asked.event, NULL, true, 1 + count(DISTINCT beside.host_id)
  FROM asked LEFT JOIN beside ON beside.event = asked.event
  GROUP BY asked.event
)
ORDER BY event, update_id
