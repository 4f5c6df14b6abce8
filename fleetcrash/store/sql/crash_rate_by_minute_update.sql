-- Crashes and host-hours online, one row per bucket of $bucket_s seconds and update of $shown.
-- $since, $until: half-open, UTC, by where the analysis places a crash; buckets start at $since, the last may be short.
-- $shown: list of the updates that get rows. Host-time and crashes count while the host was exposed; a host exposed to two
-- of them counts under both.
-- A bucket in which hosts were online and none crashed has crashes = 0. A bucket without a row is one without data: nobody
-- was known to be online and nobody crashed. rate is per host-hour, null where there are crashes but no host-hours.
-- Reads the kept tables selected_time, exposures_in_window and selected_crashes. Host-time comes from the edges of the
-- stretches and a running sum of hosts online, never from a row per host and minute.
WITH exposed AS (
  SELECT * FROM exposures_in_window WHERE list_contains(CAST($shown AS VARCHAR[]), update_id)
),
overlapped AS (
  SELECT
    exposed.update_id,
    greatest(selected_time.online_from, exposed.exposed_from) AS online_from,
    least(selected_time.online_until, exposed.exposed_until) AS online_until
  FROM selected_time JOIN exposed
    ON exposed.host = selected_time.host
    AND exposed.exposed_from < selected_time.online_until AND exposed.exposed_until > selected_time.online_from
),
crashed AS (
  -- Each crash once: a later install of an update ends the exposure by an earlier one.
  SELECT exposed.update_id, selected_crashes.host, selected_crashes.placed_at
  FROM selected_crashes JOIN exposed
    ON exposed.host = selected_crashes.host
    AND exposed.exposed_from <= selected_crashes.exposed_at AND exposed.exposed_until > selected_crashes.exposed_at
),
edged AS (
  SELECT update_id, epoch(online_from) - epoch(CAST($since AS TIMESTAMPTZ)) AS at_s, 1 AS step FROM overlapped
  UNION ALL
  SELECT update_id, epoch(online_until) - epoch(CAST($since AS TIMESTAMPTZ)), -1 FROM overlapped
),
gridded AS (
  SELECT
    bucket,
    bucket * $bucket_s AS from_s,
    least((bucket + 1) * $bucket_s, epoch(CAST($until AS TIMESTAMPTZ)) - epoch(CAST($since AS TIMESTAMPTZ))) AS until_s
  FROM range(CAST(
    ceil((epoch(CAST($until AS TIMESTAMPTZ)) - epoch(CAST($since AS TIMESTAMPTZ))) / $bucket_s) AS BIGINT
  )) AS buckets(bucket)
),
stepped AS (
  SELECT edged.update_id, gridded.bucket, sum(step) AS hosts, sum(step * (gridded.until_s - at_s)) AS host_s
  FROM edged JOIN gridded ON gridded.bucket = CAST(floor(at_s / $bucket_s) AS BIGINT)
  GROUP BY edged.update_id, gridded.bucket
),
counted AS (
  SELECT
    update_id, CAST(floor((epoch(placed_at) - epoch(CAST($since AS TIMESTAMPTZ))) / $bucket_s) AS BIGINT) AS bucket,
    count(*) AS crashes, count(DISTINCT host) AS hosts_crashed
  FROM crashed GROUP BY ALL
),
named AS (SELECT update_id FROM stepped UNION SELECT update_id FROM counted),
carried AS (
  SELECT
    named.update_id, gridded.bucket, gridded.from_s,
    coalesce(stepped.host_s, 0) + (gridded.until_s - gridded.from_s) * coalesce(sum(stepped.hosts) OVER (
      PARTITION BY named.update_id ORDER BY gridded.bucket ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
    ), 0) AS host_s
  FROM named CROSS JOIN gridded
  LEFT JOIN stepped ON stepped.update_id = named.update_id AND stepped.bucket = gridded.bucket
)
SELECT
  CAST($since AS TIMESTAMPTZ) + to_seconds(carried.from_s) AS bucket_start,
  carried.update_id,
  CAST(coalesce(counted.crashes, 0) AS BIGINT) AS crashes,
  CAST(coalesce(counted.hosts_crashed, 0) AS BIGINT) AS hosts_crashed,
  CASE WHEN host_s > 0.001 THEN host_s / 3600.0 ELSE 0 END AS host_hours,
  CASE WHEN host_s > 0.001 THEN coalesce(counted.crashes, 0) * 3600.0 / host_s END AS rate
FROM carried LEFT JOIN counted ON counted.update_id = carried.update_id AND counted.bucket = carried.bucket
WHERE host_s > 0.001 OR counted.crashes > 0
ORDER BY bucket_start, carried.update_id
