-- Crashes with the time at which exposure is judged, one row per crash: host_id, placed_at, judged_at. Of a crash noticed at
-- the next boot that is the end of the session before that boot; while that end is not known yet, the crash's own time stands
-- in for it, not the end of a still earlier session.
-- Reads the kept table known_presence. Where placed_crashes is kept, judged_crashes_placed says the same.
WITH left_behind AS (
  SELECT
    host_id, online_until,
    coalesce(online_until, lead(online_from) OVER (PARTITION BY host_id ORDER BY online_from)) AS left_at
  FROM known_presence
)
SELECT host_id, placed_at, placed_at AS judged_at FROM crashes WHERE time_quality IS DISTINCT FROM 'reboot'
UNION ALL
SELECT noticed.host_id, noticed.placed_at, coalesce(left_behind.online_until, noticed.placed_at)
FROM (SELECT host_id, placed_at FROM crashes WHERE time_quality = 'reboot') AS noticed
ASOF LEFT JOIN left_behind ON left_behind.host_id = noticed.host_id AND noticed.placed_at >= left_behind.left_at
