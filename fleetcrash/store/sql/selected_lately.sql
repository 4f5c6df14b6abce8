-- Crashes and host-hours online in the last hour of the window, in one row. Window and filters are those of the kept tables
-- selected_time and selected_crashes, which it reads.
-- $until: end of the window, UTC.
WITH lately AS (SELECT CAST($until AS TIMESTAMPTZ) - INTERVAL 1 HOUR AS since)
SELECT
  (SELECT count(*) FROM selected_crashes, lately WHERE placed_at >= since) AS crashes,
  coalesce((
    SELECT sum(epoch(online_until) - epoch(greatest(online_from, since))) FROM selected_time, lately WHERE online_until > since
  ), 0) / 3600.0 AS host_hours
