-- What a curve is added up from: how many more hosts are online from a bucket of $bucket_s seconds on, and crashes, one row per
-- kind of host and bucket. Window and filters are those of the kept tables selected_time and selected_crashes, which it reads.
-- $since: start of the window, UTC, and of the first bucket.
-- into_s: seconds of the bucket that had passed when hosts came, added up, less those of hosts that went.
-- Host-time comes from the edges of stretches, never from a row per host and minute. Stretches of one kind that begin in the
-- same bucket and end in the same are alike.
-- Edges and crashes stand in one list with zeros in each other's place: of a small selection planning takes longest, and to
-- add them up at once is planned in two thirds of the time.
WITH stretched AS (
  SELECT
    kind,
    epoch(online_from) - epoch(CAST($since AS TIMESTAMPTZ)) AS from_s,
    epoch(online_until) - epoch(CAST($since AS TIMESTAMPTZ)) AS until_s
  FROM selected_time
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
  FROM selected_crashes
  GROUP BY ALL
)
SELECT
  kind, bucket, CAST(sum(step) AS BIGINT) AS step, sum(into_s) AS into_s, CAST(sum(crashes) AS BIGINT) AS crashes
FROM listed GROUP BY kind, bucket
