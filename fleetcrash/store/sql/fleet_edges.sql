-- The same as selected_edges, of all hosts: kept, so that a filter by what hosts are picks rows of it.
-- $since, $until: half-open, UTC, never past the instant. $bucket_s: as there.
-- Reads the kept tables online_stretches and placed_crashes.
WITH clipped AS (
  SELECT
    kind,
    greatest(online_from, CAST($since AS TIMESTAMPTZ)) AS online_from,
    least(online_until, CAST($until AS TIMESTAMPTZ), getvariable('as_of')) AS online_until
  FROM online_stretches
  WHERE online_until > CAST($since AS TIMESTAMPTZ)
    AND online_from < least(CAST($until AS TIMESTAMPTZ), getvariable('as_of'))
),
marked AS (
  SELECT kind, online_from AS moment, 1 AS step, 0 AS crashes FROM clipped
  UNION ALL
  SELECT kind, online_until, -1, 0 FROM clipped WHERE online_until < CAST($until AS TIMESTAMPTZ)
  UNION ALL
  SELECT kind, placed_at, 0, 1 FROM placed_crashes
  WHERE placed_at >= CAST($since AS TIMESTAMPTZ) AND placed_at < CAST($until AS TIMESTAMPTZ)
),
placed AS (SELECT kind, epoch(moment) - epoch(CAST($since AS TIMESTAMPTZ)) AS at_s, step, crashes FROM marked)
SELECT
  kind, CAST(floor(at_s / $bucket_s) AS BIGINT) AS bucket,
  CAST(sum(step) AS BIGINT) AS step, sum(step * (at_s % $bucket_s)) AS into_s, CAST(sum(crashes) AS BIGINT) AS crashes
FROM placed GROUP BY ALL
