-- Change in the number of hosts at risk that have had the update for less than a day and were not hit, one row per minute,
-- ring, OS, always on, time since boot, age of the install and whether they had another update as well that is named
-- (shared, as of gate_exposed); hosts, and their weight.
-- Reads the kept tables gate_exposed, gate_hits, at_risk and cells.
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
pieces AS (
  SELECT
    followed.shared, followed.ring, followed.weight, at_risk.cell, least(at_risk.since_boot, 2) AS since_boot, age.age,
    greatest(at_risk.from_us, followed.begun_us, followed.installed_us + age.low_us) AS from_us,
    least(at_risk.until_us, followed.installed_us + age.high_us, followed.followed_us) AS until_us
  FROM parted AS followed
  JOIN at_risk ON at_risk.host_id = followed.host_id
  CROSS JOIN (
    VALUES (0, 0, 120000000), (1, 120000000, 600000000), (2, 600000000, 3600000000), (3, 3600000000, 86400000000)
  ) AS age (age, low_us, high_us)
),
changed AS (
  SELECT (from_us + 59999999) // 60000000 AS minute, shared, ring, weight, cell, since_boot, age, 1 AS change
  FROM pieces WHERE from_us < until_us
  UNION ALL
  SELECT (until_us + 59999999) // 60000000, shared, ring, weight, cell, since_boot, age, -1
  FROM pieces WHERE from_us < until_us
)
SELECT
  CAST(changed.minute AS BIGINT) AS minute, changed.ring, cells.os_type, coalesce(cells.always_on, false) AS always_on,
  changed.since_boot, changed.age, changed.shared,
  CAST(sum(changed.change) AS BIGINT) AS hosts, sum(changed.change * changed.weight) AS weighted
FROM changed LEFT JOIN cells ON cells.cell = changed.cell
GROUP BY changed.minute, changed.ring, cells.os_type, coalesce(cells.always_on, false), changed.since_boot, changed.age,
  changed.shared
ORDER BY minute, ring, os_type, always_on, since_boot, age, shared
