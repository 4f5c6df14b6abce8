-- Stretches in which a host at risk had an update for less than a day, one row per version of an install (see
-- known_history) and row of at_risk; facts/exposed.py of attribution works out what they come to by minute and
-- cell.
-- Minutes and ticks are rounded up; those without an end are 2147483647. from_minute, until_minute: of the host at risk
-- with the update; first_age, last_age: of the install within them; end_minute: of the exposure.
-- boot_minute: of the session that began since the install, in its first ten minutes; else -1.
-- known_tick: of the install, since_tick and superseded_tick: between which the end was held to be true; since_tick is
-- -1 for the version without an end, as of which the exposure begins.
-- $updates: the updates, which are numbered from 0. $after_tick: stretches that say nothing later are left out.
-- Reads the kept tables known_history and at_risk.
WITH numbered AS (
  SELECT unnest($updates) AS update_id, generate_subscripts($updates, 1) - 1 AS number
),
versions AS (
  SELECT
    known_history.host_id, numbered.number,
    CAST(epoch_us(exposed_from) AS BIGINT) AS from_us,
    CAST((CAST(epoch_us(exposed_from) AS BIGINT) + 59999999) // 60000000 AS INTEGER) AS installed_minute,
    CAST((CAST(epoch_us(exposed_until) AS BIGINT) + 59999999) // 60000000 AS INTEGER) AS end_minute,
    CAST((CAST(epoch_us(known_at) AS BIGINT) + 59999999) // 60000000 AS INTEGER) AS known_tick,
    CAST((CAST(epoch_us(since_known) AS BIGINT) + 59999999) // 60000000 AS INTEGER) AS since_tick,
    CAST((CAST(epoch_us(superseded_known) AS BIGINT) + 59999999) // 60000000 AS INTEGER) AS superseded_tick
  FROM known_history JOIN numbered ON numbered.update_id = known_history.update_id
  WHERE CAST(epoch_us(exposed_from) AS BIGINT) + 86400000000 > CAST($after_tick AS BIGINT) * 60000000
    OR CAST(epoch_us(greatest(known_at, since_known, superseded_known)) AS BIGINT) > CAST($after_tick AS BIGINT) * 60000000
),
stretched AS (
  SELECT
    versions.* EXCLUDE (host_id), at_risk.cell, at_risk.since_boot,
    CASE WHEN versions.from_us < at_risk.boot_us THEN (at_risk.boot_us + 59999999) // 60000000 END AS boot_minute,
    greatest(at_risk.from_us, versions.from_us) - versions.from_us AS first_us,
    least(at_risk.until_us, versions.from_us + 86400000000, instant.now_us + 1) - versions.from_us AS last_us,
    (greatest(at_risk.from_us, versions.from_us) + 59999999) // 60000000 AS from_minute,
    (at_risk.until_us + 59999999) // 60000000 AS until_minute
  FROM versions
  JOIN at_risk
    ON at_risk.host_id = versions.host_id
    AND at_risk.from_us < versions.from_us + 86400000000
    AND coalesce(at_risk.until_us, 9223372036854775807) > versions.from_us
  CROSS JOIN (SELECT CAST(epoch_us(CAST(getvariable('as_of') AS TIMESTAMPTZ)) AS BIGINT) AS now_us) AS instant
)
SELECT
  CAST(number AS INTEGER) AS number, CAST(cell AS INTEGER) AS cell, CAST(since_boot AS TINYINT) AS since_boot,
  installed_minute, CAST(from_minute AS INTEGER) AS from_minute, CAST(coalesce(until_minute, 2147483647) AS INTEGER) AS until_minute,
  coalesce(end_minute, 2147483647) AS end_minute,
  known_tick, coalesce(since_tick, -1) AS since_tick, coalesce(superseded_tick, 2147483647) AS superseded_tick,
  CAST(CASE
    WHEN first_us < 120000000 THEN 0 WHEN first_us < 600000000 THEN 1 WHEN first_us < 3600000000 THEN 2
    WHEN first_us < 14400000000 THEN 3 ELSE 4
  END AS TINYINT) AS first_age,
  CAST(CASE
    WHEN last_us <= 120000000 THEN 0 WHEN last_us <= 600000000 THEN 1 WHEN last_us <= 3600000000 THEN 2
    WHEN last_us <= 14400000000 THEN 3 ELSE 4
  END AS TINYINT) AS last_age,
  CAST(coalesce(boot_minute, -1) AS INTEGER) AS boot_minute
FROM stretched
WHERE first_us < last_us
  AND greatest(known_tick, since_tick, superseded_tick, least(until_minute, installed_minute + 1440)) > $after_tick
