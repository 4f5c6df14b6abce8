-- Host-minutes at risk without the update, one row per ring, OS, always on and time since boot: before a host first got it, and of hosts that never did.
-- $lag_us: the newest time is left out, in which hosts may have crashed that could not say so yet. $history_us: how far back. $disturbed_from_us, $disturbed_until_us: stretches that no incident
-- leaves like the rest, disjoint; they are left out. Nothing before a day ahead of the first event counts: crashes were not told then.
-- Reads the kept tables gate_exposed, at_risk, events and cells.
WITH bounds AS (
  SELECT
    CAST(epoch_us(CAST(getvariable('as_of') AS TIMESTAMPTZ)) AS BIGINT) - CAST($lag_us AS BIGINT) AS until_us,
    greatest(
      CAST(epoch_us(CAST(getvariable('as_of') AS TIMESTAMPTZ)) AS BIGINT) - CAST($history_us AS BIGINT),
      coalesce((SELECT min(at_us) FROM events) - 86400000000, 0)
    ) AS from_us
),
disturbed AS (
  SELECT
    unnest(CAST($disturbed_from_us AS BIGINT[])) AS from_us, unnest(CAST($disturbed_until_us AS BIGINT[])) AS until_us
),
quiet AS (
  SELECT coalesce(lag(until_us) OVER (ORDER BY from_us), 0) AS from_us, from_us AS until_us FROM disturbed
  UNION ALL SELECT coalesce((SELECT max(until_us) FROM disturbed), 0), 9223372036854775807
),
stretched AS (
  SELECT
    at_risk.host_id, at_risk.cell, least(at_risk.since_boot, 2) AS since_boot,
    greatest(at_risk.from_us, bounds.from_us, quiet.from_us) AS from_us,
    least(at_risk.until_us, exposed.first_us, bounds.until_us, quiet.until_us) AS until_us
  FROM at_risk
  CROSS JOIN bounds
  CROSS JOIN quiet
  LEFT JOIN gate_exposed AS exposed ON exposed.host_id = at_risk.host_id
)
SELECT
  hosts.ring, cells.os_type, coalesce(cells.always_on, false) AS always_on, stretched.since_boot,
  sum(stretched.until_us - stretched.from_us) / 60000000.0 AS host_minutes
FROM stretched
LEFT JOIN cells ON cells.cell = stretched.cell
LEFT JOIN hosts ON hosts.host_id = stretched.host_id
WHERE stretched.from_us < stretched.until_us
GROUP BY hosts.ring, cells.os_type, coalesce(cells.always_on, false), stretched.since_boot
ORDER BY hosts.ring, os_type, always_on, since_boot
