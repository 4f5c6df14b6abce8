-- Stretches in which no record of any kind became known, one row per stretch, newest first, half-open [silent_from, silent_until).
-- $gap_s: only those that lasted longer, seconds. $window_s: how far to look back from the instant, seconds.
-- Before the first record of a lake there is no gap; one that began before the window begins with it.
WITH known AS NOT MATERIALIZED (
  SELECT known_at FROM lake_crash
  UNION ALL SELECT known_at FROM lake_install
  UNION ALL SELECT known_at FROM lake_update
  UNION ALL SELECT known_at FROM lake_host
  UNION ALL SELECT known_at FROM lake_heartbeat
  UNION ALL SELECT known_at FROM lake_session
),
heard AS (
  SELECT min(known_at) AS first_at, max(known_at) AS last_at FROM known
  WHERE known_at > getvariable('as_of') - to_seconds(CAST($window_s AS BIGINT))
  GROUP BY CAST(epoch_us(known_at) AS BIGINT) // 60000000
  UNION ALL
  SELECT
    getvariable('as_of') - to_seconds(CAST($window_s AS BIGINT)), getvariable('as_of') - to_seconds(CAST($window_s AS BIGINT))
  WHERE EXISTS (
    SELECT 1 FROM known
    WHERE known_at <= getvariable('as_of') - to_seconds(CAST($window_s AS BIGINT)) AND known_at > to_timestamp(0)
  )
),
followed AS (SELECT last_at AS silent_from, lead(first_at) OVER (ORDER BY first_at) AS silent_until FROM heard)
SELECT silent_from, silent_until, epoch(silent_until) - epoch(silent_from) AS lasted_s
FROM followed WHERE epoch(silent_until) - epoch(silent_from) > $gap_s
ORDER BY silent_from DESC
