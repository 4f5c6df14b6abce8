-- Crashes and silences of hosts that do not have the update, one row per dimension (os_type, region, place), value and quarter
-- of an hour, with the number of such hosts; to be kept as gate_beside.
-- Hosts of a ring most of which has it are left out: one that lacks it there may have crashed before it could say so.
-- Reads the kept tables gate_exposed and gate_events.
WITH fleet AS (
  SELECT
    hosts.host_id, hosts.os_type, hosts.region, coalesce(hosts.site, hosts."group", hosts.customer) AS place,
    exposed.host_id IS NOT NULL AS has_it,
    2 * count(exposed.host_id) OVER (PARTITION BY hosts.ring) > count(*) OVER (PARTITION BY hosts.ring) AS ring_has_it
  FROM hosts LEFT JOIN gate_exposed AS exposed ON exposed.host_id = hosts.host_id
),
beside AS (
  SELECT fleet.host_id, dimension.name AS dimension,
    CASE dimension.name WHEN 'os_type' THEN os_type WHEN 'region' THEN region ELSE place END AS value
  FROM fleet CROSS JOIN (VALUES ('os_type'), ('region'), ('place')) AS dimension (name)
  WHERE NOT has_it AND NOT ring_has_it
),
counted AS (
  SELECT dimension, value, count(*) AS hosts FROM beside WHERE value IS NOT NULL GROUP BY dimension, value
)
SELECT
  beside.dimension, beside.value, events.at_us // 900000000 AS bucket,
  any_value(counted.hosts) AS hosts, count(DISTINCT beside.host_id) AS hits
FROM beside
JOIN gate_events AS events ON events.host_id = beside.host_id
JOIN counted ON counted.dimension = beside.dimension AND counted.value = beside.value
GROUP BY beside.dimension, beside.value, bucket
