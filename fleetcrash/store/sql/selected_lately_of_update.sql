-- The same as selected_lately where the filters ask for one update, for no channel, and for all of its crashes.
-- $until: as there. $updates: list of the one update.
-- Reads the kept tables exposed_time and exposed_crashes, which end with the window, and selected_kinds.
WITH lately AS (SELECT CAST($until AS TIMESTAMPTZ) - INTERVAL 1 HOUR AS since)
SELECT
  (
    SELECT count(*) FROM exposed_crashes SEMI JOIN selected_kinds USING (kind), lately
    WHERE update_number = hash(CAST($updates AS VARCHAR[])[1]) AND placed_at >= since
  ) AS crashes,
  coalesce((
    SELECT sum(epoch(online_until) - epoch(greatest(online_from, since)))
    FROM exposed_time SEMI JOIN selected_kinds USING (kind), lately
    WHERE update_number = hash(CAST($updates AS VARCHAR[])[1]) AND online_until > since
  ), 0) / 3600.0 AS host_hours
