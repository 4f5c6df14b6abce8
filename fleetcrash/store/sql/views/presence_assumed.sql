-- Presence where no host tells it, or none of some system: that of hosts that are not heard of is assumed, one row per host
-- and stretch. Such a host counts as online from a sighting on for as long as that counts. Without any sighting all of the
-- inventory that are not heard of count as online, from an hour before the first crash (see first_crash) on.
-- A stretch's end is no silence: nobody was listening.
-- A stretch begins with the sighting that was known first: one of before that is told later does not move its begin.
-- since_known: from when the stretch was known; gone_known: from when its end was.
WITH marked AS (
  SELECT
    *, coalesce(seen_at > lag(seen_at) OVER (PARTITION BY host_id ORDER BY seen_at) + INTERVAL 24 HOUR, true) AS opens
  FROM sightings
),
numbered AS (
  SELECT *, count(*) FILTER (opens) OVER (PARTITION BY host_id ORDER BY seen_at ROWS UNBOUNDED PRECEDING) AS stretch
  FROM marked
),
stretched AS (
  SELECT
    host_id,
    arg_min(seen_at, CAST(epoch_us(known_at) AS HUGEINT) * 4611686018427387904 + epoch_us(seen_at)) AS online_from,
    min(known_at) AS since_known,
    max(seen_at) + INTERVAL 24 HOUR AS ends_at, arg_max_null(over_known, seen_at) AS over_known
  FROM numbered GROUP BY host_id, stretch
)
SELECT host_id, online_from, since_known, assumed, online_until, gone_known FROM presence_told
UNION ALL
SELECT
  host_id, online_from, since_known, true,
  CASE WHEN over_known <= getvariable('as_of') THEN ends_at END AS online_until,
  CASE WHEN over_known <= getvariable('as_of') THEN over_known END AS gone_known
FROM stretched
UNION ALL
SELECT
  host_id,
  greatest(
    known_at,
    (SELECT min(placed_at) FROM crashes WHERE known_at >= (SELECT known_at FROM first_crash)) - INTERVAL 1 HOUR
  ),
  known_at, true,
  CAST(NULL AS TIMESTAMPTZ), CAST(NULL AS TIMESTAMPTZ)
FROM hosts ANTI JOIN heard_hosts USING (host_id)
WHERE NOT EXISTS (SELECT 1 FROM sightings) AND EXISTS (SELECT 1 FROM crashes)
