-- A cluster's crashes beside the fleet, one row per update, most crashes first: at how many crashes the host was exposed
-- to it, and for how much of the fleet's time. $cluster_id; $kind: of update, null is any; $since, $until: half-open, UTC.
-- host_hours, hosts_online: exposed and online in the window, of hosts with the cluster's operating system. A host is
-- exposed to many updates at once, so the shares add up to more than 1. Reads the kept table clustered_crashes.
WITH chosen AS (
  SELECT host_id, os_type, placed_at FROM clustered_crashes
  WHERE cluster_id = $cluster_id
    AND placed_at >= CAST($since AS TIMESTAMPTZ) AND placed_at < CAST($until AS TIMESTAMPTZ)
),
online AS (
  SELECT
    presence.host_id,
    greatest(online_from, CAST($since AS TIMESTAMPTZ)) AS online_from,
    least(coalesce(online_until, 'infinity'), CAST($until AS TIMESTAMPTZ)) AS online_until
  FROM presence
  WHERE online_from < CAST($until AS TIMESTAMPTZ) AND coalesce(online_until, 'infinity') > CAST($since AS TIMESTAMPTZ)
    AND host_id IN (SELECT host_id FROM hosts WHERE os_type IN (SELECT os_type FROM chosen))
),
exposed AS (
  SELECT exposures.host_id, exposures.update_id, exposed_from, coalesce(exposed_until, 'infinity') AS exposed_until
  FROM exposures LEFT JOIN updates USING (update_id)
  WHERE $kind IS NULL OR updates.kind = $kind
),
counted AS (
  SELECT exposed.update_id, count(*) AS crashes, count(DISTINCT chosen.host_id) AS hosts
  FROM chosen JOIN exposed
    ON exposed.host_id = chosen.host_id
    AND exposed.exposed_from <= chosen.placed_at AND exposed.exposed_until > chosen.placed_at
  GROUP BY exposed.update_id
),
timed AS (
  SELECT
    exposed.update_id, count(DISTINCT online.host_id) AS hosts_online,
    sum(
      epoch(least(online.online_until, exposed.exposed_until))
      - epoch(greatest(online.online_from, exposed.exposed_from))
    ) / 3600.0 AS host_hours
  FROM online JOIN exposed
    ON exposed.host_id = online.host_id
    AND exposed.exposed_from < online.online_until AND exposed.exposed_until > online.online_from
  GROUP BY exposed.update_id
),
summed AS (
  SELECT
    (SELECT count(*) FROM chosen) AS crashes,
    (SELECT sum(epoch(online_until) - epoch(online_from)) / 3600.0 FROM online) AS host_hours
)
SELECT
  update_id AS value,
  CAST(coalesce(counted.crashes, 0) AS BIGINT) AS crashes,
  CAST(coalesce(counted.hosts, 0) AS BIGINT) AS hosts,
  coalesce(counted.crashes, 0) / nullif(summed.crashes, 0) AS share_of_crashes,
  coalesce(timed.host_hours, 0) AS host_hours,
  CAST(coalesce(timed.hosts_online, 0) AS BIGINT) AS hosts_online,
  coalesce(timed.host_hours, 0) / nullif(summed.host_hours, 0) AS share_of_fleet
FROM counted FULL JOIN timed USING (update_id) CROSS JOIN summed
ORDER BY crashes DESC, share_of_fleet DESC, value
