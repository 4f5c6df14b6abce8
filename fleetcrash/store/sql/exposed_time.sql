-- Host-time online while exposed, in the window and never past the instant, one row per install and stretch of unchanged
-- attributes. A host that is exposed to several updates has a row for each.
-- $since, $until: half-open, UTC. host, kind: as in online_stretches. update_number: as in exposed_updates.
-- Kept for all filters: to work it out for each of them takes longer than all else that is asked of an update.
-- Reads the kept tables online_stretches and exposures_in_window.
WITH clipped AS (
  SELECT
    host, kind,
    greatest(online_from, CAST($since AS TIMESTAMPTZ)) AS online_from,
    least(online_until, CAST($until AS TIMESTAMPTZ), getvariable('as_of')) AS online_until
  FROM online_stretches
  WHERE online_until > CAST($since AS TIMESTAMPTZ)
    AND online_from < least(CAST($until AS TIMESTAMPTZ), getvariable('as_of'))
)
SELECT
  hash(exposed.update_id) AS update_number, clipped.host, clipped.kind,
  greatest(clipped.online_from, exposed.exposed_from) AS online_from,
  least(clipped.online_until, exposed.exposed_until) AS online_until
FROM clipped JOIN exposures_in_window AS exposed
  ON exposed.host = clipped.host
  AND exposed.exposed_from < clipped.online_until AND exposed.exposed_until > clipped.online_from
