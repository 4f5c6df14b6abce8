-- Hosts that crashed, one row per bucket of $bucket_s seconds and OS or agent version in which any did.
-- $since: start of the window, UTC, and of the first bucket. $by: 'os_type' or 'agent_version', which is what line tells.
-- Reads the kept tables selected_crashes and host_kinds.
SELECT
  CAST($since AS TIMESTAMPTZ)
    + to_seconds(floor((epoch(placed_at) - epoch(CAST($since AS TIMESTAMPTZ))) / $bucket_s) * $bucket_s) AS bucket_start,
  CASE $by WHEN 'os_type' THEN os_type ELSE agent_version END AS line,
  count(DISTINCT host) AS hosts_crashed
FROM selected_crashes JOIN host_kinds USING (kind) GROUP BY ALL ORDER BY ALL
