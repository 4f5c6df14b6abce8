-- What a host is at the instant, one row if any record names it: its attributes, when it was first and last heard of, whether
-- it counts as online, and how many crashes, installs and stretches online are known of it.
-- $host_id: the host. last_seen_at: the newest of all that it did; null if only the inventory names it.
WITH described AS (
  SELECT os_type, os_version, os_build, agent_version, model, region, ring, "group", site, customer, always_on
  FROM host_spans WHERE host_id = $host_id AND valid_until IS NULL
),
listed AS (SELECT criticality, owner, os_type FROM hosts WHERE host_id = $host_id),
crashed AS (
  SELECT count(*) AS crashes, min(placed_at) AS first_at, max(placed_at) AS last_at, max(os_type) AS os_type
  FROM placed_crashes WHERE host_id = $host_id
),
installed AS (
  SELECT count(*) AS installs, min(placed_at) AS first_at, max(placed_at) AS last_at FROM installs WHERE host_id = $host_id
),
attended AS (
  SELECT
    count(*) AS stretches, min(online_from) AS first_at,
    max(coalesce(online_until, getvariable('as_of'))) AS last_at,
    coalesce(bool_or(online_until IS NULL), false) AS online
  FROM presence WHERE host_id = $host_id AND NOT assumed
)
SELECT
  $host_id AS host_id,
  coalesce(described.os_type, listed.os_type, crashed.os_type) AS os_type,
  described.* EXCLUDE (os_type),
  listed.criticality, listed.owner,
  crashed.crashes, installed.installs, attended.stretches, attended.online,
  least(crashed.first_at, installed.first_at, attended.first_at) AS first_seen_at,
  greatest(crashed.last_at, installed.last_at, attended.last_at) AS last_seen_at
FROM crashed CROSS JOIN installed CROSS JOIN attended
LEFT JOIN described ON true
LEFT JOIN listed ON true
WHERE listed.os_type IS NOT NULL OR crashed.crashes > 0 OR installed.installs > 0 OR attended.stretches > 0
