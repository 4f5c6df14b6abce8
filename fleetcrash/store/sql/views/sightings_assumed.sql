-- Sightings of hosts whose presence nobody tells: installs, and dated rows of the inventory. A crash is none, or only hosts
-- that crash would be at risk of it. One counts the host as online for the 24 hours after it, and for longer while nobody was
-- seen since: an inventory that came once does not tell that all its hosts are gone.
-- over_known: from when it was known that it counts no longer; null while it does.
WITH told AS (
  SELECT host_id, placed_at AS seen_at, known_at FROM installs
  UNION ALL
  SELECT host_id, known_at, known_at FROM lake_host
  WHERE known_at <= getvariable('as_of') AND (seen_at IS NOT NULL OR received_at IS NOT NULL)
),
sighted AS (SELECT * FROM told ANTI JOIN heard_hosts USING (host_id)),
by_minute AS (
  SELECT date_trunc('minute', seen_at) AS seen_at, min(known_at) AS known_at FROM sighted GROUP BY date_trunc('minute', seen_at)
),
anybody AS (
  SELECT seen_at, min(known_at) OVER (ORDER BY seen_at ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING) AS known_at
  FROM by_minute
)
SELECT
  sighted.host_id, sighted.seen_at, sighted.known_at,
  -- greatest passes over a null.
  CASE WHEN anybody.known_at IS NOT NULL THEN greatest(sighted.seen_at + INTERVAL 24 HOUR, anybody.known_at) END AS over_known
FROM sighted
ASOF LEFT JOIN anybody ON sighted.seen_at + INTERVAL 24 HOUR <= anybody.seen_at
