-- The same as selected_edges where the filters ask for one update, for no channel, and for all of its crashes.
-- $since: start of a window, UTC, and of its first bucket. $bucket_s: as there. $updates: list of the one update.
-- Reads the kept tables exposed_time and exposed_crashes, which end with the window and may begin before it, and
-- selected_kinds.
WITH stretched AS (
  SELECT
    kind,
    epoch(greatest(online_from, CAST($since AS TIMESTAMPTZ))) - epoch(CAST($since AS TIMESTAMPTZ)) AS from_s,
    epoch(online_until) - epoch(CAST($since AS TIMESTAMPTZ)) AS until_s
  FROM exposed_time SEMI JOIN selected_kinds USING (kind)
  WHERE update_number = hash(CAST($updates AS VARCHAR[])[1]) AND online_until > CAST($since AS TIMESTAMPTZ)
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
  FROM exposed_crashes SEMI JOIN selected_kinds USING (kind)
  WHERE update_number = hash(CAST($updates AS VARCHAR[])[1]) AND placed_at >= CAST($since AS TIMESTAMPTZ)
  GROUP BY ALL
)
SELECT
  kind, bucket, CAST(sum(step) AS BIGINT) AS step, sum(into_s) AS into_s, CAST(sum(crashes) AS BIGINT) AS crashes
FROM listed GROUP BY kind, bucket
