-- How soon hosts without the update crash again, one row per time since the last crash of such a host: 1 within an hour, 2 later
-- within a day, 3 within a day of two crashes, which is a loop; host-minutes and crashes that came next.
-- Each host counts until its next crash, and is in a loop from the second of a day to the third: one that goes on and on is one.
-- Incidents are not left out: whom a fault has crashed, it crashes again more often than others.
-- $lag_us, $history_us: as in baseline_time.
-- Reads the kept tables gate_exposed, gate_crashes and at_risk.
WITH bounds AS (
  SELECT
    CAST(epoch_us(CAST(getvariable('as_of') AS TIMESTAMPTZ)) AS BIGINT) - CAST($lag_us AS BIGINT) AS until_us,
    CAST(epoch_us(CAST(getvariable('as_of') AS TIMESTAMPTZ)) AS BIGINT) - CAST($history_us AS BIGINT) AS from_us
),
crashed AS (
  SELECT
    crashes.host_id, crashes.at_us, crashes.next_us,
    CASE WHEN crashes.last_us > crashes.at_us - 86400000000 THEN crashes.last_us END AS last_us,
    least(crashes.next_us, exposed.first_us, bounds.until_us) AS until_us
  FROM gate_crashes AS crashes
  CROSS JOIN bounds
  LEFT JOIN gate_exposed AS exposed ON exposed.host_id = crashes.host_id
  WHERE crashes.at_us >= bounds.from_us
    AND coalesce(crashes.before_us <= crashes.at_us - 86400000000, true)
),
followed AS (
  SELECT host_id, next_us, 1 AS since_crash, at_us AS from_us, least(until_us, at_us + 3600000000) AS until_us
  FROM crashed WHERE last_us IS NULL
  UNION ALL
  SELECT host_id, next_us, 2, at_us + 3600000000, least(until_us, at_us + 86400000000) FROM crashed WHERE last_us IS NULL
  UNION ALL
  SELECT host_id, next_us, 3, at_us, least(until_us, last_us + 86400000000) FROM crashed WHERE last_us IS NOT NULL
),
timed AS (
  SELECT
    followed.since_crash,
    sum(least(at_risk.until_us, followed.until_us) - greatest(at_risk.from_us, followed.from_us)) / 60000000.0 AS host_minutes
  FROM followed JOIN at_risk
    ON at_risk.host_id = followed.host_id
    AND at_risk.from_us < followed.until_us AND coalesce(at_risk.until_us > followed.from_us, true)
  WHERE followed.from_us < followed.until_us
  GROUP BY followed.since_crash
),
counted AS (
  SELECT since_crash, count(*) FILTER (next_us = until_us) AS crashes
  FROM followed WHERE from_us < until_us GROUP BY since_crash
)
SELECT counted.since_crash, coalesce(timed.host_minutes, 0.0) AS host_minutes, counted.crashes
FROM counted LEFT JOIN timed ON timed.since_crash = counted.since_crash
ORDER BY counted.since_crash
