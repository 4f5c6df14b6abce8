-- Crashes and host-hours online, one row per bucket of $bucket_s seconds and OS.
-- $since, $until: half-open, UTC, by where the analysis places a crash; buckets start at $since, the last may be short.
-- A bucket in which hosts were online and none crashed has crashes = 0. A bucket without a row is one without data: nobody
-- was known to be online and nobody crashed. rate is per host-hour, null where there are crashes but no host-hours.
-- $with_hosts: whether to count the hosts that crashed, which takes as long as all the rest; else hosts_crashed is null.
-- Reads the kept tables selected_time, selected_crashes and host_kinds. Host-time comes from the edges of the stretches and a
-- running sum of hosts online, never from a row per host and minute.
-- Stretches that begin in the same bucket and end in the same are alike.
WITH stretched AS (
  SELECT
    kind,
    epoch(online_from) - epoch(CAST($since AS TIMESTAMPTZ)) AS from_s,
    epoch(online_until) - epoch(CAST($since AS TIMESTAMPTZ)) AS until_s
  FROM selected_time
),
alike AS (
  SELECT
    os_type,
    CAST(floor(from_s / $bucket_s) AS BIGINT) AS opened, CAST(floor(until_s / $bucket_s) AS BIGINT) AS closed,
    count(*) AS stretches,
    sum(from_s - floor(from_s / $bucket_s) * $bucket_s) AS open_s,
    sum(until_s - floor(until_s / $bucket_s) * $bucket_s) AS close_s
  FROM stretched JOIN host_kinds USING (kind) GROUP BY ALL
),
edged AS (
  SELECT os_type, opened AS bucket, stretches AS step, open_s AS into_s FROM alike
  UNION ALL
  SELECT os_type, closed, -stretches, -close_s FROM alike
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
  SELECT edged.os_type, bucket, sum(step) AS hosts, sum(step * (gridded.until_s - gridded.from_s) - into_s) AS host_s
  FROM edged JOIN gridded USING (bucket)
  GROUP BY edged.os_type, bucket
),
counted AS (
  SELECT
    os_type, CAST(floor((epoch(placed_at) - epoch(CAST($since AS TIMESTAMPTZ))) / $bucket_s) AS BIGINT) AS bucket,
    count(*) AS crashes, count(DISTINCT CASE WHEN CAST($with_hosts AS BOOLEAN) THEN host END) AS hosts_crashed
  FROM selected_crashes JOIN host_kinds USING (kind) GROUP BY ALL
),
named AS (SELECT os_type FROM stepped UNION SELECT os_type FROM counted),
carried AS (
  SELECT
    named.os_type, gridded.bucket, gridded.from_s,
    coalesce(stepped.host_s, 0) + (gridded.until_s - gridded.from_s) * coalesce(sum(stepped.hosts) OVER (
      PARTITION BY named.os_type ORDER BY gridded.bucket ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
    ), 0) AS host_s
  FROM named CROSS JOIN gridded
  LEFT JOIN stepped ON stepped.os_type = named.os_type AND stepped.bucket = gridded.bucket
)
SELECT
  CAST($since AS TIMESTAMPTZ) + to_seconds(carried.from_s) AS bucket_start,
  carried.os_type,
  CAST(coalesce(counted.crashes, 0) AS BIGINT) AS crashes,
  CASE WHEN CAST($with_hosts AS BOOLEAN) THEN CAST(coalesce(counted.hosts_crashed, 0) AS BIGINT) END AS hosts_crashed,
  CASE WHEN host_s > 0.001 THEN host_s / 3600.0 ELSE 0 END AS host_hours,
  CASE WHEN host_s > 0.001 THEN coalesce(counted.crashes, 0) * 3600.0 / host_s END AS rate
FROM carried LEFT JOIN counted ON counted.os_type = carried.os_type AND counted.bucket = carried.bucket
WHERE host_s > 0.001 OR counted.crashes > 0
ORDER BY bucket_start, carried.os_type
