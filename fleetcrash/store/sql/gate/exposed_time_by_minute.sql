-- Change in the number of hosts at risk that have had the update for less than a day and were not hit, one row per minute,
-- ring, OS, always on, time since boot, time since a crash before the install (as of gate_hits), age of the install and
-- whether they had another update as well that is named (shared, as of gate_exposed); hosts, and their weight.
-- Reads the kept tables gate_exposed, gate_hits, gate_lately, at_risk and cells.
WITH followed AS (
  SELECT
    exposed.host_id, exposed.ring, exposed.weight, exposed.installed_us,
    least(
      exposed.ended_us, hits.at_us, exposed.installed_us + 86400000000,
      CAST(epoch_us(CAST(getvariable('as_of') AS TIMESTAMPTZ)) AS BIGINT)
    ) AS followed_us
  FROM gate_exposed AS exposed LEFT JOIN gate_hits AS hits ON hits.host_id = exposed.host_id
),
parted AS (
  SELECT
    followed.host_id, followed.ring, followed.weight, followed.installed_us, part.shared,
    CASE WHEN part.shared THEN exposed.shared_us ELSE followed.installed_us END AS begun_us,
    CASE WHEN part.shared THEN followed.followed_us ELSE least(followed.followed_us, exposed.shared_us) END AS followed_us
  FROM followed
  JOIN gate_exposed AS exposed ON exposed.host_id = followed.host_id
  JOIN (VALUES (false), (true)) AS part (shared) ON NOT part.shared OR exposed.shared_us IS NOT NULL
),
since AS (
  SELECT
    parted.host_id, parted.ring, parted.weight, parted.installed_us, parted.shared, part.since_crash,
    -- greatest and least pass over what is null: without a second crash before it the host was in no loop.
    CASE part.since_crash
      WHEN 0 THEN greatest(parted.begun_us, lately.last_us + 86400000000)
      WHEN 1 THEN greatest(parted.begun_us, lately.before_us + 86400000000)
      WHEN 2 THEN greatest(parted.begun_us, lately.before_us + 86400000000, lately.last_us + 3600000000)
      ELSE parted.begun_us
    END AS begun_us,
    CASE part.since_crash
      WHEN 0 THEN parted.followed_us
      WHEN 1 THEN least(parted.followed_us, lately.last_us + 3600000000)
      WHEN 2 THEN least(parted.followed_us, lately.last_us + 86400000000)
      ELSE least(parted.followed_us, lately.before_us + 86400000000)
    END AS followed_us
  FROM parted
  LEFT JOIN gate_lately AS lately ON lately.host_id = parted.host_id
  JOIN (VALUES (0), (1), (2), (3)) AS part (since_crash)
    ON part.since_crash = 0
    OR (part.since_crash < 3 AND lately.last_us IS NOT NULL)
    OR lately.before_us IS NOT NULL
),
pieces AS (
  SELECT
    followed.shared, followed.ring, followed.weight, at_risk.cell, least(at_risk.since_boot, 2) AS since_boot, age.age,
    followed.since_crash,
    greatest(at_risk.from_us, followed.begun_us, followed.installed_us + age.low_us) AS from_us,
    least(at_risk.until_us, followed.installed_us + age.high_us, followed.followed_us) AS until_us
  FROM since AS followed
  JOIN at_risk ON at_risk.host_id = followed.host_id
  CROSS JOIN (
    VALUES (0, 0, 120000000), (1, 120000000, 600000000), (2, 600000000, 3600000000), (3, 3600000000, 86400000000)
  ) AS age (age, low_us, high_us)
),
changed AS (
  SELECT (from_us + 59999999) // 60000000 AS minute, shared, ring, weight, cell, since_boot, since_crash, age, 1 AS change
  FROM pieces WHERE from_us < until_us
  UNION ALL
  SELECT (until_us + 59999999) // 60000000, shared, ring, weight, cell, since_boot, since_crash, age, -1
  FROM pieces WHERE from_us < until_us
)
SELECT
  CAST(changed.minute AS BIGINT) AS minute, changed.ring, cells.os_type, coalesce(cells.always_on, false) AS always_on,
  changed.since_boot, changed.since_crash, changed.age, changed.shared,
  CAST(sum(changed.change) AS BIGINT) AS hosts, sum(changed.change * changed.weight) AS weighted
FROM changed LEFT JOIN cells ON cells.cell = changed.cell
GROUP BY changed.minute, changed.ring, cells.os_type, coalesce(cells.always_on, false), changed.since_boot,
  changed.since_crash, changed.age, changed.shared
ORDER BY minute, ring, os_type, always_on, since_boot, since_crash, age, shared
