-- The fleet at the instant, one row: hosts known and online, hosts that crashed in the hour before, the oldest crash known
-- (without one the oldest stretch online), whether host-time and installs are known at all, and when the last batch was
-- committed, by our clock. Reads the kept tables known_presence and placed_crashes.
SELECT
  getvariable('as_of') AS as_of,
  (SELECT count(DISTINCT host_id) FROM lake_host WHERE known_at <= getvariable('as_of')) AS hosts_known,
  (SELECT count(DISTINCT host_id) FROM known_presence WHERE online_until IS NULL) AS hosts_online,
  (SELECT count(DISTINCT host) FROM placed_crashes WHERE placed_at > getvariable('as_of') - INTERVAL 1 HOUR) AS hosts_crashed_1h,
  (SELECT count(*) FROM placed_crashes) AS crashes,
  coalesce((SELECT min(placed_at) FROM placed_crashes), (SELECT min(online_from) FROM known_presence)) AS oldest_at,
  (SELECT count(*) > 0 FROM known_presence WHERE NOT assumed) AS has_presence,
  EXISTS (SELECT 1 FROM lake_install WHERE known_at <= getvariable('as_of')) AS has_installs,
  (SELECT max(loaded_at) FROM lake_batch) AS last_batch_at
