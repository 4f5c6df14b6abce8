-- Crashes and host-hours online, one row per bucket of $bucket_s seconds and agent version.
-- $since, $until: half-open, UTC, by where the analysis places a crash; buckets start at $since, the last may be short.
-- A bucket in which hosts were online and none crashed has crashes = 0. A bucket without a row is one without data: nobody
-- was known to be online and nobody crashed. rate is per host-hour, null where there are crashes but no host-hours.
-- $with_hosts: whether to count the hosts that crashed, which takes as long as all the rest; else hosts_crashed is null.
-- Reads the kept tables selected_time, selected_crashes and host_kinds. Host-time comes from the edges of the stretches and a
-- running sum of hosts online, never from a row per host and minute. Stretches of one kind that begin in the same bucket and
-- end in the same are alike.
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
crashed AS (
  SELECT
    kind, host, CAST(floor((epoch(placed_at) - epoch(CAST($since AS TIMESTAMPTZ))) / $bucket_s) AS BIGINT) AS bucket
  FROM selected_crashes
),
listed AS (
  SELECT kind, opened AS bucket, stretches AS step, open_s AS into_s, 0 AS crashes, 0 AS hosts_crashed FROM alike
  UNION ALL
  SELECT kind, closed, -stretches, -close_s, 0, 0 FROM alike
  UNION ALL
  SELECT kind, bucket, 0, 0, count(*), 0 FROM crashed GROUP BY kind, bucket
  UNION ALL
  SELECT any_value(kind), bucket, 0, 0, 0, count(DISTINCT host)
  FROM crashed JOIN host_kinds USING (kind) WHERE CAST($with_hosts AS BOOLEAN) GROUP BY agent_version, bucket
),
summed AS (
  SELECT
    agent_version, bucket,
    sum(step) AS step, sum(into_s) AS into_s, sum(crashes) AS crashes, sum(hosts_crashed) AS hosts_crashed
  FROM listed JOIN host_kinds USING (kind) GROUP BY agent_version, bucket
),
gridded AS (
  SELECT
    agent_version, bucket, bucket * $bucket_s AS from_s,
    least($bucket_s, epoch(CAST($until AS TIMESTAMPTZ)) - epoch(CAST($since AS TIMESTAMPTZ)) - bucket * $bucket_s) AS width_s
  FROM range(CAST(
    ceil((epoch(CAST($until AS TIMESTAMPTZ)) - epoch(CAST($since AS TIMESTAMPTZ))) / $bucket_s) AS BIGINT
  )) AS buckets(bucket) CROSS JOIN (SELECT DISTINCT agent_version FROM summed)
),
carried AS (
  -- Who came in a bucket is counted for all of it, less what had passed of it by then.
  SELECT
    agent_version, bucket, from_s, coalesce(crashes, 0) AS crashes, coalesce(hosts_crashed, 0) AS hosts_crashed,
    width_s * coalesce(sum(step) OVER (PARTITION BY agent_version ORDER BY bucket), 0) - coalesce(into_s, 0) AS host_s
  FROM gridded LEFT JOIN summed USING (agent_version, bucket)
)
SELECT
  CAST($since AS TIMESTAMPTZ) + to_seconds(from_s) AS bucket_start,
  agent_version,
  CAST(crashes AS BIGINT) AS crashes,
  CASE WHEN CAST($with_hosts AS BOOLEAN) THEN CAST(hosts_crashed AS BIGINT) END AS hosts_crashed,
  CASE WHEN host_s > 0.001 THEN host_s / 3600.0 ELSE 0 END AS host_hours,
  CASE WHEN host_s > 0.001 THEN crashes * 3600.0 / host_s END AS rate
FROM carried WHERE host_s > 0.001 OR crashes > 0
ORDER BY bucket_start, agent_version
