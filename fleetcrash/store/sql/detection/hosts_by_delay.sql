-- Whom some events could have happened to, by how long hosts had had an update: one row per event and age of the install.
-- Hosts of the same OS, model, region and ring, servers or not, that had been up for as long (see at_risk), were at risk just
-- then, and had had no event in the day before; the event's own host is one of them, known to have been online or not.
-- age_s: seconds since the install, in steps of ten, null where a host did not have it. struck: 1 in the row of the event's own.
-- As it was known at $at: installs, beats and earlier events. $update_id: the update. $events: numbers of the events.
-- Neither counts, the host of the event or one beside it, that got the update within half an hour after it came online: it may
-- be struck for how long it has been up, which is nearly as long.
-- Where presence is told by heartbeats, what happened at the end of a session happened at some time after the last beat, and a
-- host may well install at a beat: such events are left out.
-- Where more than 20,000 hosts have the update one host in so many is counted.
-- Reads the kept tables events, cells, known_history, known_presence and at_risk.
WITH asked AS (
  SELECT
    events.event, events.host_id, events.at_us, events.since_boot,
    cells.os_type, cells.model, cells.region, cells.ring, cells.always_on
  FROM events JOIN cells ON cells.cell = events.cell
  WHERE events.event IN (SELECT unnest($events))
    AND NOT (EXISTS (SELECT 1 FROM lake_heartbeat WHERE known_at <= CAST($at AS TIMESTAMPTZ)) AND EXISTS (
      SELECT 1 FROM known_presence
      WHERE known_presence.host_id = events.host_id AND gone_known <= CAST($at AS TIMESTAMPTZ)
        AND CAST(epoch_us(online_until) AS BIGINT) = events.at_us
    ))
),
sat AS (
  SELECT host_id, online_from FROM known_presence WHERE NOT assumed AND since_known <= CAST($at AS TIMESTAMPTZ)
),
got AS (
  SELECT
    host_id, exposed_from, CAST(epoch_us(exposed_from) AS BIGINT) AS from_us,
    coalesce(CAST(epoch_us(exposed_until) AS BIGINT), 9223372036854775807) AS until_us
  FROM known_history
  WHERE update_id = $update_id AND known_at <= CAST($at AS TIMESTAMPTZ)
    AND coalesce(since_known <= CAST($at AS TIMESTAMPTZ), true) AND coalesce(superseded_known > CAST($at AS TIMESTAMPTZ), true)
),
had AS (
  SELECT
    got.host_id, got.from_us, got.until_us,
    coalesce(got.exposed_from < sat.online_from + INTERVAL 30 MINUTE, false) AS fresh
  FROM got ASOF LEFT JOIN sat ON sat.host_id = got.host_id AND got.exposed_from >= sat.online_from
),
counted AS (
  SELECT
    at_risk.host_id, at_risk.since_boot, at_risk.from_us, at_risk.until_us,
    cells.os_type, cells.model, cells.region, cells.ring, cells.always_on
  FROM at_risk JOIN cells ON cells.cell = at_risk.cell
  WHERE hash(at_risk.host_id) % (SELECT CAST(1 + count(*) // 20000 AS UBIGINT) FROM had) = 0
),
beside AS (
  SELECT asked.event, asked.at_us, asked.host_id, 1 AS struck FROM asked
  UNION ALL
  SELECT asked.event, asked.at_us, counted.host_id, 0
  FROM asked
  JOIN counted
    ON counted.since_boot = asked.since_boot AND counted.always_on = asked.always_on
    AND counted.os_type IS NOT DISTINCT FROM asked.os_type AND counted.model IS NOT DISTINCT FROM asked.model
    AND counted.region IS NOT DISTINCT FROM asked.region AND counted.ring IS NOT DISTINCT FROM asked.ring
    AND counted.host_id <> asked.host_id
    AND counted.from_us <= asked.at_us AND coalesce(counted.until_us, 9223372036854775807) > asked.at_us
  WHERE NOT EXISTS (
    SELECT 1 FROM events AS earlier
    WHERE earlier.host_id = counted.host_id AND earlier.known_us <= CAST(epoch_us(CAST($at AS TIMESTAMPTZ)) AS BIGINT)
      AND earlier.at_us <= asked.at_us AND earlier.at_us > asked.at_us - 86400000000
  )
),
aged AS (
  SELECT
    beside.event, beside.host_id, beside.struck, (beside.at_us - max(had.from_us)) // 10000000 * 10 AS age_s,
    coalesce(bool_or(had.fresh), false) AS fresh
  FROM beside
  LEFT JOIN had
    ON had.host_id = beside.host_id AND had.from_us <= beside.at_us AND had.until_us > beside.at_us
  GROUP BY beside.event, beside.host_id, beside.struck, beside.at_us
)
SELECT
  event, CAST(age_s AS INTEGER) AS age_s, CAST(count(*) AS INTEGER) AS hosts, CAST(sum(struck) AS INTEGER) AS struck
FROM aged
WHERE NOT fresh AND event NOT IN (SELECT event FROM aged WHERE fresh AND struck = 1)
GROUP BY event, age_s
ORDER BY event, age_s
