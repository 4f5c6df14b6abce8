-- How hosts fared for a while after they got an update, one row per always_on, fresh and minute in which they got it; of those
-- that got it again the last time counts, which may have brought something else.
-- fresh: within half an hour after they came online, as those do that missed it. at_risk_s: seconds that such hosts were at
-- risk; struck: how many of some events happened to them.
-- As it was known at $at: installs, presence and the time at risk. $update_id: the update. $events, $cells: numbers of the
-- events, and of the cells that the hosts are in. $minutes: how long after the install.
-- Reads the kept tables events, cells, known_history, known_presence and at_risk.
WITH had AS (
  SELECT host_id, exposed_from, exposed_until FROM known_history
  WHERE update_id = $update_id AND known_at <= CAST($at AS TIMESTAMPTZ)
    AND coalesce(since_known <= CAST($at AS TIMESTAMPTZ), true) AND coalesce(superseded_known > CAST($at AS TIMESTAMPTZ), true)
  QUALIFY row_number() OVER (PARTITION BY host_id ORDER BY exposed_from DESC) = 1
),
sat AS (
  SELECT host_id, online_from FROM known_presence WHERE NOT assumed AND since_known <= CAST($at AS TIMESTAMPTZ)
),
begun AS (
  SELECT
    had.host_id, had.exposed_from < sat.online_from + INTERVAL 30 MINUTE AS fresh,
    CAST((CAST(epoch_us(had.exposed_from) AS BIGINT) + 59999999) // 60000000 AS INTEGER) AS installed,
    CAST(epoch_us(had.exposed_from) AS BIGINT) AS from_us,
    least(
      CAST(epoch_us(had.exposed_from) AS BIGINT) + CAST($minutes AS BIGINT) * 60000000,
      CAST(epoch_us(had.exposed_until) AS BIGINT), CAST(epoch_us(CAST($at AS TIMESTAMPTZ)) AS BIGINT)
    ) AS until_us
  FROM had ASOF JOIN sat ON sat.host_id = had.host_id AND had.exposed_from >= sat.online_from
),
spent AS (
  SELECT
    cells.always_on, begun.fresh, begun.installed,
    sum(least(begun.until_us, at_risk.until_us) - greatest(begun.from_us, at_risk.from_us)) / 1e6 AS at_risk_s
  FROM begun
  JOIN at_risk
    ON at_risk.host_id = begun.host_id AND at_risk.from_us < begun.until_us
    AND coalesce(at_risk.until_us, 9223372036854775807) > begun.from_us
  JOIN cells ON cells.cell = at_risk.cell
  WHERE at_risk.cell IN (SELECT unnest($cells))
  GROUP BY ALL
),
hit AS (
  SELECT cells.always_on, begun.fresh, begun.installed, count(DISTINCT events.event) AS struck
  FROM events
  JOIN begun ON begun.host_id = events.host_id AND begun.from_us <= events.at_us AND begun.until_us > events.at_us
  JOIN cells ON cells.cell = events.cell
  WHERE events.event IN (SELECT unnest($events))
  GROUP BY ALL
)
SELECT
  always_on, fresh, installed,
  CAST(at_risk_s AS DOUBLE) AS at_risk_s, CAST(coalesce(struck, 0) AS INTEGER) AS struck
FROM spent LEFT JOIN hit USING (always_on, fresh, installed)
ORDER BY always_on, fresh, installed
