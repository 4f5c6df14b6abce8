-- Records and how late they come, one row per kind of record; a kind of which nothing is known has no row.
-- delay_p50_s, delay_p95_s: seconds from a record's own time to its receipt, over those of the last hour to the instant that say when
-- they were received (timed_1h); null without such. Below zero the sender's clock is ahead.
-- Own time: of a session its end, once it has one; of a withdrawn update its withdrawal; a host row may state none.
WITH counted AS (
  SELECT 'crash' AS kind, count(*) AS records, max(occurred_at) AS newest_own_at, max(known_at) AS newest_known_at FROM lake_crash
  UNION ALL SELECT 'install', count(*), max(applied_at), max(known_at) FROM lake_install
  UNION ALL SELECT 'update', count(*), max(coalesce(reverted_at, released_at)), max(known_at) FROM lake_update
  UNION ALL SELECT 'host', count(*), max(seen_at), max(known_at) FROM lake_host
  UNION ALL SELECT 'heartbeat', count(*), max("at"), max(known_at) FROM lake_heartbeat
  UNION ALL SELECT 'session', count(*), max(coalesce(online_until, online_from)), max(known_at) FROM lake_session
),
known AS (
  SELECT 'crash' AS kind, occurred_at AS own_at, received_at, known_at FROM lake_crash
  UNION ALL SELECT 'install', applied_at, received_at, known_at FROM lake_install
  UNION ALL SELECT 'update', coalesce(reverted_at, released_at), received_at, known_at FROM lake_update
  UNION ALL SELECT 'host', seen_at, received_at, known_at FROM lake_host
  UNION ALL SELECT 'heartbeat', "at", received_at, known_at FROM lake_heartbeat
  UNION ALL SELECT 'session', coalesce(online_until, online_from), received_at, known_at FROM lake_session
),
timed AS (
  SELECT kind, epoch(received_at) - epoch(own_at) AS delay_s FROM known
  WHERE known_at > getvariable('as_of') - INTERVAL 1 HOUR
),
summed AS (
  SELECT
    kind, count(*) AS records_1h, count(delay_s) AS timed_1h,
    quantile_cont(delay_s, 0.5) AS delay_p50_s, quantile_cont(delay_s, 0.95) AS delay_p95_s
  FROM timed GROUP BY kind
)
SELECT
  kind, records, coalesce(records_1h, 0) AS records_1h, newest_own_at, newest_known_at,
  coalesce(timed_1h, 0) AS timed_1h, delay_p50_s, delay_p95_s
FROM counted LEFT JOIN summed USING (kind)
WHERE records > 0 ORDER BY kind
