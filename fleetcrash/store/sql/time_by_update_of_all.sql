-- The same as time_by_update where the filters ask for no update and no channel.
-- $since: start of the window, UTC. Reads the kept tables exposed_time, which ends with the window and may begin before it,
-- selected_kinds and exposed_updates.
WITH timed AS (
  SELECT
    update_number, count(DISTINCT host) AS hosts_exposed,
    sum(epoch(online_until) - epoch(greatest(online_from, CAST($since AS TIMESTAMPTZ)))) / 3600.0 AS host_hours
  FROM exposed_time SEMI JOIN selected_kinds USING (kind)
  WHERE online_until > CAST($since AS TIMESTAMPTZ) GROUP BY update_number
)
SELECT update_id, hosts_exposed, host_hours FROM timed JOIN exposed_updates USING (update_number)
