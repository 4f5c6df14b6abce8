-- The same as selected_edges of the time that a baseline looks back to. Reads earlier_time and earlier_crashes, which are
-- kept as selected_time and selected_crashes are, of that window.
-- $since, $until: that window, half-open, UTC. $bucket_s: as there.
WITH marked AS (
  SELECT kind, online_from AS moment, 1 AS step, 0 AS crashes FROM earlier_time
  UNION ALL
  SELECT kind, online_until, -1, 0 FROM earlier_time WHERE online_until < CAST($until AS TIMESTAMPTZ)
  UNION ALL
  SELECT kind, placed_at, 0, 1 FROM earlier_crashes
),
placed AS (SELECT kind, epoch(moment) - epoch(CAST($since AS TIMESTAMPTZ)) AS at_s, step, crashes FROM marked)
SELECT
  kind, CAST(floor(at_s / $bucket_s) AS BIGINT) AS bucket,
  CAST(sum(step) AS BIGINT) AS step, sum(step * (at_s % $bucket_s)) AS into_s, CAST(sum(crashes) AS BIGINT) AS crashes
FROM placed GROUP BY ALL
