-- Change in the number of hosts at risk that have had an update for a while, one row per tick at which the change
-- became known, minute to which it applies, update, cell, time since boot and age of the install
-- (0 under two minutes, 1 under ten, 2 under an hour, 3 under a day). Older exposure is not followed.
-- $after_tick: ticks up to it are left out.
WITH lasting AS (
  SELECT
    host_id, update_id,
    CAST(epoch_us(exposed_from) AS BIGINT) AS from_us,
    CAST(epoch_us(exposed_until) AS BIGINT) AS until_us,
    (CAST(epoch_us(known_at) AS BIGINT) + 59999999) // 60000000 AS known_tick,
    (CAST(epoch_us(until_known) AS BIGINT) + 59999999) // 60000000 AS until_tick
  FROM exposures
  WHERE CAST(epoch_us(exposed_from) AS BIGINT) + 86400000000 > CAST($after_tick AS BIGINT) * 60000000
    OR CAST(epoch_us(greatest(known_at, until_known)) AS BIGINT) > CAST($after_tick AS BIGINT) * 60000000
),
overlapped AS (
  SELECT
    lasting.update_id, at_risk.cell, at_risk.since_boot, age.age, lasting.known_tick,
    greatest(at_risk.from_us, lasting.from_us + age.low_us) AS from_us,
    least(at_risk.until_us, lasting.from_us + age.high_us, lasting.until_us) AS until_us,
    CASE WHEN lasting.until_us <= least(at_risk.until_us, lasting.from_us + age.high_us)
      THEN greatest(lasting.until_tick, lasting.known_tick) ELSE lasting.known_tick END AS until_tick
  FROM lasting
  JOIN at_risk
    ON at_risk.host_id = lasting.host_id
    AND at_risk.from_us < lasting.from_us + 86400000000
    AND coalesce(at_risk.until_us, 9223372036854775807) > lasting.from_us
  CROSS JOIN (
    VALUES (0, 0, 120000000), (1, 120000000, 600000000), (2, 600000000, 3600000000), (3, 3600000000, 86400000000)
  ) AS age (age, low_us, high_us)
),
changed AS (
  SELECT
    greatest(known_tick, (from_us + 59999999) // 60000000) AS tick, (from_us + 59999999) // 60000000 AS minute, update_id, cell, since_boot, age,
    1 AS change
  FROM overlapped WHERE from_us < until_us
  UNION ALL
  SELECT greatest(until_tick, (until_us + 59999999) // 60000000), (until_us + 59999999) // 60000000, update_id, cell, since_boot, age, -1
  FROM overlapped WHERE from_us < until_us
)
SELECT
  CAST(tick AS INTEGER) AS tick, CAST(minute AS INTEGER) AS minute, update_id,
  CAST(cell AS INTEGER) AS cell, since_boot, age, CAST(sum(change) AS INTEGER) AS change
FROM changed
WHERE tick > $after_tick
GROUP BY tick, minute, update_id, cell, since_boot, age
HAVING sum(change) <> 0
ORDER BY tick, minute, update_id, cell, since_boot, age
