-- What a curve is added up from: how many more hosts are online from a bucket of $bucket_s seconds on, and crashes, one row per
-- kind of host and bucket. Window and filters are those of the kept tables selected_time and selected_crashes, which it reads.
-- $since, $until: the window, half-open, UTC; the first bucket starts with it. Who is online to its end leaves no edge there.
-- into_s: seconds of the bucket that had passed when hosts came, added up, less those of hosts that went.
-- Host-time comes from the edges of stretches, never from a row per host and minute.
WITH marked AS (
  SELECT kind, online_from AS moment, 1 AS step, 0 AS crashes FROM selected_time
  UNION ALL
  SELECT kind, online_until, -1, 0 FROM selected_time WHERE online_until < CAST($until AS TIMESTAMPTZ)
  UNION ALL
  SELECT kind, placed_at, 0, 1 FROM selected_crashes
),
placed AS (SELECT kind, epoch(moment) - epoch(CAST($since AS TIMESTAMPTZ)) AS at_s, step, crashes FROM marked)
SELECT
  kind, CAST(floor(at_s / $bucket_s) AS BIGINT) AS bucket,
  CAST(sum(step) AS BIGINT) AS step, sum(step * (at_s % $bucket_s)) AS into_s, CAST(sum(crashes) AS BIGINT) AS crashes
FROM placed GROUP BY ALL
