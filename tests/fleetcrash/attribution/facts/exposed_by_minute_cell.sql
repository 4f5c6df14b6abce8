-- Change in the number of hosts at risk that have had an update for a while, one row per tick at which the change
-- became known, minute to which it applies, update, cell, time since boot and age of the install
-- (0 under two minutes, 1 under ten, 2 under an hour, 3 under four hours, 4 under a day); once more, where the session began
-- since the install, by its age (5 under two minutes, 6 under ten). Older exposure is not followed.
-- A row is the same at every tick that may look at it: what was counted before an end was known is taken back at
-- the tick at which it was, and not left out.
-- $after_tick: ticks up to it are left out, and so are those after the instant.
WITH versions AS (
  SELECT
    host_id, update_id, since_known IS NULL AS is_first,
    CAST(epoch_us(exposed_from) AS BIGINT) AS from_us,
    (CAST(epoch_us(exposed_until) AS BIGINT) + 59999999) // 60000000 AS end_minute,
    (CAST(epoch_us(known_at) AS BIGINT) + 59999999) // 60000000 AS known_tick,
    (CAST(epoch_us(since_known) AS BIGINT) + 59999999) // 60000000 AS since_tick,
    (CAST(epoch_us(superseded_known) AS BIGINT) + 59999999) // 60000000 AS superseded_tick
  FROM known_history
  WHERE CAST(epoch_us(exposed_from) AS BIGINT) + 86400000000 > CAST($after_tick AS BIGINT) * 60000000
    OR CAST(epoch_us(greatest(known_at, since_known, superseded_known)) AS BIGINT) > CAST($after_tick AS BIGINT) * 60000000
),
pieces AS (
  SELECT
    versions.*, at_risk.cell, at_risk.since_boot, age.age,
    (greatest(at_risk.from_us, aged.low_us) + 59999999) // 60000000 AS from_minute,
    (least(at_risk.until_us, aged.high_us) + 59999999) // 60000000 AS last_minute
  FROM versions
  JOIN at_risk
    ON at_risk.host_id = versions.host_id
    AND at_risk.from_us < versions.from_us + 86400000000
    AND coalesce(at_risk.until_us, 9223372036854775807) > versions.from_us
  CROSS JOIN (
    VALUES
      (0, 0, 120000000), (1, 120000000, 600000000), (2, 600000000, 3600000000),
      (3, 3600000000, 14400000000), (4, 14400000000, 86400000000), (5, 0, 120000000), (6, 120000000, 600000000)
  ) AS age (age, low_us, high_us)
  CROSS JOIN LATERAL (
    SELECT
      CASE WHEN age.age < 5 THEN versions.from_us WHEN at_risk.boot_us > versions.from_us THEN at_risk.boot_us END AS since_us
  ) AS since
  CROSS JOIN LATERAL (
    SELECT since_us + age.low_us AS low_us, least(since_us + age.high_us, versions.from_us + 86400000000) AS high_us
  ) AS aged
  WHERE since_us IS NOT NULL
    AND greatest(at_risk.from_us, aged.low_us) < least(at_risk.until_us, aged.high_us)
    AND greatest(at_risk.from_us, aged.low_us) <= epoch_us(CAST(getvariable('as_of') AS TIMESTAMPTZ))
    AND greatest(
      known_tick, since_tick, superseded_tick, (least(at_risk.until_us, aged.high_us) + 59999999) // 60000000
    ) > $after_tick
),
ended AS (
  SELECT
    *,
    greatest(from_minute, least(last_minute, end_minute)) AS until_minute,
    greatest(known_tick, since_tick, from_minute, least(last_minute, end_minute)) AS until_tick
  FROM pieces
),
changed AS (
  SELECT greatest(known_tick, from_minute) AS tick, from_minute AS minute, update_id, cell, since_boot, age, 1 AS change
  FROM ended WHERE is_first
  UNION ALL
  SELECT until_tick, until_minute, update_id, cell, since_boot, age, -1
  FROM ended WHERE until_tick < coalesce(superseded_tick, 9223372036854775807)
  UNION ALL
  SELECT superseded_tick, until_minute, update_id, cell, since_boot, age, 1
  FROM ended WHERE until_tick < superseded_tick
)
SELECT
  CAST(tick AS INTEGER) AS tick, CAST(minute AS INTEGER) AS minute, update_id,
  CAST(cell AS INTEGER) AS cell, since_boot, age, CAST(sum(change) AS INTEGER) AS change
FROM changed
WHERE tick > $after_tick AND tick <= epoch_us(CAST(getvariable('as_of') AS TIMESTAMPTZ)) // 60000000
GROUP BY tick, minute, update_id, cell, since_boot, age
HAVING sum(change) <> 0
ORDER BY tick, minute, update_id, cell, since_boot, age
