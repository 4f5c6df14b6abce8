-- A cluster's crashes beside the fleet, one row per value of an attribute, most crashes first.
-- $cluster_id; $attribute: os_type, os_build, agent_version, model, region, site; $since, $until: half-open, UTC.
-- A crash's value is its own, else the host's at the crash, else 'unknown'. host_hours, hosts_online: of all hosts with
-- the cluster's operating system, online in the window. share_of_crashes and share_of_fleet (of host_hours) are of 1.
-- Reads the kept table clustered_crashes.
WITH chosen AS (
  SELECT clustered_crashes.crash_id, clustered_crashes.host_id, clustered_crashes.placed_at, crashes.os_type,
    CASE $attribute WHEN 'os_type' THEN crashes.os_type WHEN 'os_build' THEN crashes.os_build
      WHEN 'agent_version' THEN crashes.agent_version END AS own_value
  FROM clustered_crashes JOIN crashes ON crashes.crash_id = clustered_crashes.crash_id
  WHERE clustered_crashes.cluster_id = $cluster_id
    AND clustered_crashes.placed_at >= CAST($since AS TIMESTAMPTZ)
    AND clustered_crashes.placed_at < CAST($until AS TIMESTAMPTZ)
),
valued AS (
  SELECT
    host_id, os_type, valid_from, coalesce(valid_until, 'infinity') AS valid_until,
    CASE $attribute WHEN 'os_type' THEN os_type WHEN 'os_build' THEN os_build WHEN 'agent_version' THEN agent_version
      WHEN 'model' THEN model WHEN 'region' THEN region WHEN 'site' THEN site END AS value
  FROM host_spans
),
counted AS (
  SELECT
    coalesce(chosen.own_value, valued.value, 'unknown') AS value,
    count(*) AS crashes, count(DISTINCT chosen.host_id) AS hosts
  FROM chosen ASOF LEFT JOIN valued
    ON valued.host_id = chosen.host_id AND valued.valid_from <= chosen.placed_at
  GROUP BY ALL
),
timed AS (
  SELECT
    coalesce(valued.value, 'unknown') AS value,
    count(DISTINCT presence.host_id) AS hosts_online,
    sum(
      epoch(least(coalesce(presence.online_until, 'infinity'), valued.valid_until, CAST($until AS TIMESTAMPTZ)))
      - epoch(greatest(presence.online_from, valued.valid_from, CAST($since AS TIMESTAMPTZ)))
    ) / 3600.0 AS host_hours
  FROM presence JOIN valued ON valued.host_id = presence.host_id
  WHERE presence.online_from < CAST($until AS TIMESTAMPTZ)
    AND coalesce(presence.online_until, 'infinity') > CAST($since AS TIMESTAMPTZ)
    AND valued.valid_from < least(coalesce(presence.online_until, 'infinity'), CAST($until AS TIMESTAMPTZ))
    AND valued.valid_until > greatest(presence.online_from, CAST($since AS TIMESTAMPTZ))
    AND valued.os_type IN (SELECT os_type FROM chosen)
  GROUP BY ALL
)
SELECT
  value,
  CAST(coalesce(counted.crashes, 0) AS BIGINT) AS crashes,
  CAST(coalesce(counted.hosts, 0) AS BIGINT) AS hosts,
  coalesce(counted.crashes, 0) / nullif(sum(counted.crashes) OVER (), 0) AS share_of_crashes,
  coalesce(timed.host_hours, 0) AS host_hours,
  CAST(coalesce(timed.hosts_online, 0) AS BIGINT) AS hosts_online,
  coalesce(timed.host_hours, 0) / nullif(sum(timed.host_hours) OVER (), 0) AS share_of_fleet
FROM counted FULL JOIN timed USING (value)
ORDER BY crashes DESC, share_of_fleet DESC, value
