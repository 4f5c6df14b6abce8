-- The same as selected_edges of the time that a baseline looks back to. Reads earlier_time and earlier_crashes, which are
-- kept as selected_time and selected_crashes are, of that window.
-- $since: start of that window, UTC. $bucket_s: as there.
WITH stretched AS (
  SELECT
    kind,
    epoch(online_from) - epoch(CAST($since AS TIMESTAMPTZ)) AS from_s,
    epoch(online_until) - epoch(CAST($since AS TIMESTAMPTZ)) AS until_s
  FROM earlier_time
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
  FROM earlier_crashes
  GROUP BY ALL
)
SELECT
  kind, bucket, CAST(sum(step) AS BIGINT) AS step, sum(into_s) AS into_s, CAST(sum(crashes) AS BIGINT) AS crashes
FROM listed GROUP BY kind, bucket
