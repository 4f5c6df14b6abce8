-- Crashes that became known and happened after an instant, one row per crash.
-- $since: the instant, UTC.
SELECT crash_id, host_id, placed_at, known_at FROM crashes
WHERE known_at >= CAST($since AS TIMESTAMPTZ) AND placed_at >= CAST($since AS TIMESTAMPTZ)
ORDER BY known_at, crash_id
