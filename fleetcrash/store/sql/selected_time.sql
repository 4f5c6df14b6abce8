-- Host-time online in the window and within the filters, never past the instant, one row per host and stretch of unchanged
-- attributes.
-- $since, $until: half-open, UTC. $updates, $channels: lists; null or an empty list filters nothing, else host-time counts
-- only while the host was exposed.
-- Each filter is a branch of its own with its parameter in it: DuckDB leaves out those that filter nothing.
-- host, kind: as in online_stretches. Reads the kept tables online_stretches, selected_kinds and selected_exposures.
WITH clipped AS (
  SELECT
    host, kind,
    greatest(online_from, CAST($since AS TIMESTAMPTZ)) AS online_from,
    least(online_until, CAST($until AS TIMESTAMPTZ), getvariable('as_of')) AS online_until
  FROM online_stretches SEMI JOIN selected_kinds USING (kind)
  WHERE online_until > CAST($since AS TIMESTAMPTZ)
    AND online_from < least(CAST($until AS TIMESTAMPTZ), getvariable('as_of'))
)
SELECT host, kind, online_from, online_until FROM clipped
WHERE coalesce(len(CAST($updates AS VARCHAR[])), 0) + coalesce(len(CAST($channels AS VARCHAR[])), 0) = 0
UNION ALL
SELECT
  clipped.host, clipped.kind,
  greatest(clipped.online_from, exposed.exposed_from), least(clipped.online_until, exposed.exposed_until)
FROM clipped JOIN selected_exposures AS exposed
  ON exposed.host = clipped.host
  AND exposed.exposed_from < clipped.online_until AND exposed.exposed_until > clipped.online_from
WHERE coalesce(len(CAST($updates AS VARCHAR[])), 0) + coalesce(len(CAST($channels AS VARCHAR[])), 0) > 0
