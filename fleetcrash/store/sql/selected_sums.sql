-- Hosts that crashed and hosts that were online, in one row. Window and filters are those of the kept tables selected_time
-- and selected_crashes, which it reads.
SELECT
  (SELECT count(DISTINCT host) FROM selected_crashes) AS hosts_crashed,
  (SELECT count(*) FROM selected_crashes) AS crashes,
  (SELECT count(DISTINCT host) FROM selected_time) AS hosts_online,
  coalesce((SELECT sum(epoch(online_until) - epoch(online_from)) FROM selected_time), 0) / 3600.0 AS host_hours
