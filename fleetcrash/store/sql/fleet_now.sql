-- The fleet at the instant, one row: hosts known and online, hosts that crashed in the hour before, the oldest crash known
-- (without one the oldest stretch online), whether host-time and installs are known at all, and when the last batch was
-- committed, by our clock.
SELECT
  getvariable('as_of') AS as_of,
  (SELECT count(*) FROM hosts) AS hosts_known,
  (SELECT count(DISTINCT host_id) FROM presence WHERE online_until IS NULL) AS hosts_online,
  (SELECT count(DISTINCT host_id) FROM crashes WHERE placed_at > getvariable('as_of') - INTERVAL 1 HOUR) AS hosts_crashed_1h,
  (SELECT count(*) FROM crashes) AS crashes,
  coalesce((SELECT min(placed_at) FROM crashes), (SELECT min(online_from) FROM presence)) AS oldest_at,
  (SELECT count(*) > 0 FROM presence WHERE NOT assumed) AS has_presence,
  (SELECT count(*) > 0 FROM installs) AS has_installs,
  (SELECT max(loaded_at) FROM lake_batch) AS last_batch_at
