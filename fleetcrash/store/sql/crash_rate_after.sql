-- Crashes and host-hours online from $after (UTC) to the end of the window, in one row. Window and filters are those of the
-- kept tables selected_time and selected_crashes, which it reads.
SELECT
  (SELECT count(*) FROM selected_crashes WHERE placed_at >= CAST($after AS TIMESTAMPTZ)) AS crashes,
  coalesce((
    SELECT sum(epoch(online_until) - epoch(greatest(online_from, CAST($after AS TIMESTAMPTZ))))
    FROM selected_time WHERE online_until > CAST($after AS TIMESTAMPTZ)
  ), 0) / 3600.0 AS host_hours
