-- Crashes and host-hours online in the time that a baseline looks back to, one row per hour in which hosts were online or
-- crashed.
-- $since, $until: half-open, UTC; hours start at $since, the last may be short.
-- Reads earlier_time and earlier_crashes, which are kept as selected_time and selected_crashes are, of that window. Host-time
-- comes from the edges of the stretches and a running sum of hosts online. Stretches of the same first and last hour are alike.
WITH stretched AS (
  SELECT
    epoch(online_from) - epoch(CAST($since AS TIMESTAMPTZ)) AS from_s,
    epoch(online_until) - epoch(CAST($since AS TIMESTAMPTZ)) AS until_s
  FROM earlier_time
),
alike AS (
  SELECT
    CAST(floor(from_s / 3600) AS BIGINT) AS opened, CAST(floor(until_s / 3600) AS BIGINT) AS closed, count(*) AS stretches,
    sum(from_s - floor(from_s / 3600) * 3600) AS open_s, sum(until_s - floor(until_s / 3600) * 3600) AS close_s
  FROM stretched GROUP BY ALL
),
edged AS (
  SELECT opened AS bucket, stretches AS step, open_s AS into_s FROM alike
  UNION ALL
  SELECT closed, -stretches, -close_s FROM alike
),
gridded AS (
  SELECT
    bucket,
    bucket * 3600 AS from_s,
    least((bucket + 1) * 3600, epoch(CAST($until AS TIMESTAMPTZ)) - epoch(CAST($since AS TIMESTAMPTZ))) AS until_s
  FROM range(CAST(
    ceil((epoch(CAST($until AS TIMESTAMPTZ)) - epoch(CAST($since AS TIMESTAMPTZ))) / 3600) AS BIGINT
  )) AS buckets(bucket)
),
stepped AS (
  SELECT bucket, sum(step) AS hosts, sum(step * (gridded.until_s - gridded.from_s) - into_s) AS host_s
  FROM edged JOIN gridded USING (bucket) GROUP BY bucket
),
counted AS (
  SELECT
    CAST(floor((epoch(placed_at) - epoch(CAST($since AS TIMESTAMPTZ))) / 3600) AS BIGINT) AS bucket, count(*) AS crashes
  FROM earlier_crashes GROUP BY ALL
),
carried AS (
  SELECT
    gridded.bucket, gridded.from_s,
    coalesce(stepped.host_s, 0) + (gridded.until_s - gridded.from_s) * coalesce(sum(stepped.hosts) OVER (
      ORDER BY gridded.bucket ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
    ), 0) AS host_s
  FROM gridded LEFT JOIN stepped USING (bucket)
)
SELECT
  CAST($since AS TIMESTAMPTZ) + to_seconds(carried.from_s) AS bucket_start,
  CAST(coalesce(counted.crashes, 0) AS BIGINT) AS crashes,
  CASE WHEN host_s > 0.001 THEN host_s / 3600.0 ELSE 0 END AS host_hours
FROM carried LEFT JOIN counted USING (bucket)
WHERE host_s > 0.001 OR counted.crashes > 0
ORDER BY bucket_start
