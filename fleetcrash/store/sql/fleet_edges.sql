-- The same as selected_edges, of all hosts: kept, so that a filter by what hosts are picks rows of it.
-- $since, $until: half-open, UTC, never past the instant. $bucket_s: as there.
-- Reads the kept tables online_stretches and placed_crashes.
WITH stretched AS (
  SELECT
    kind,
    epoch(greatest(online_from, CAST($since AS TIMESTAMPTZ))) - epoch(CAST($since AS TIMESTAMPTZ)) AS from_s,
    epoch(least(online_until, CAST($until AS TIMESTAMPTZ), getvariable('as_of')))
      - epoch(CAST($since AS TIMESTAMPTZ)) AS until_s
  FROM online_stretches
  WHERE online_until > CAST($since AS TIMESTAMPTZ)
    AND online_from < least(CAST($until AS TIMESTAMPTZ), getvariable('as_of'))
),
alike AS (
  SELECT
    kind,
    CAST(floor(from_s / $bucket_s) AS BIGINT) AS opened, CAST(floor(until_s / $bucket_s) AS BIGINT) AS closed,
    count(*) AS stretches,
    sum(from_s - floor(from_s / $bucket_s) * $bucket_s) AS open_s,
    sum(until_s - floor(until_s / $bucket_s) * $bucket_s) AS close_s
  FROM stretched GROUP BY ALL
),
listed AS (
  SELECT kind, opened AS bucket, stretches AS step, open_s AS into_s, 0 AS crashes FROM alike
  UNION ALL
  SELECT kind, closed, -stretches, -close_s, 0 FROM alike
  UNION ALL
  SELECT
    kind, CAST(floor((epoch(placed_at) - epoch(CAST($since AS TIMESTAMPTZ))) / $bucket_s) AS BIGINT), 0, 0, count(*)
  FROM placed_crashes
  WHERE placed_at >= CAST($since AS TIMESTAMPTZ) AND placed_at < CAST($until AS TIMESTAMPTZ)
  GROUP BY ALL
)
SELECT
  kind, bucket, CAST(sum(step) AS BIGINT) AS step, sum(into_s) AS into_s, CAST(sum(crashes) AS BIGINT) AS crashes
FROM listed GROUP BY kind, bucket
