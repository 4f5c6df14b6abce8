-- Hosts that were exposed to an update for the first time in the window, one row per bucket of $bucket_s seconds that has any.
-- $update_id: the update. $since, $until: half-open, UTC; buckets start at $since.
-- hosts: those until the end of the bucket, from the start of the window. A host counts from when it was online and exposed
-- within the window and the filters, so that the last row has as many hosts as crash_rate_by_update says were exposed.
-- Reads the kept tables selected_time and exposures_in_window.
WITH begun AS (
  SELECT selected_time.host, min(greatest(selected_time.online_from, exposed.exposed_from)) AS begun_at
  FROM selected_time JOIN exposures_in_window AS exposed
    ON exposed.host = selected_time.host
    AND exposed.exposed_from < selected_time.online_until AND exposed.exposed_until > selected_time.online_from
  WHERE exposed.update_id = $update_id
  GROUP BY selected_time.host
),
counted AS (
  SELECT CAST(floor((epoch(begun_at) - epoch(CAST($since AS TIMESTAMPTZ))) / $bucket_s) AS BIGINT) AS bucket, count(*) AS hosts_new
  FROM begun WHERE begun_at < CAST($until AS TIMESTAMPTZ)
  GROUP BY bucket
)
SELECT
  CAST($since AS TIMESTAMPTZ) + to_seconds(bucket * $bucket_s) AS bucket_start,
  hosts_new, CAST(sum(hosts_new) OVER (ORDER BY bucket ROWS UNBOUNDED PRECEDING) AS BIGINT) AS hosts
FROM counted ORDER BY bucket_start
