-- Crashes and silences of hosts that did not have the update then, one row per dimension (os_type, region, place), value and
-- quarter of an hour around a hit, with the number of such hosts and of those that were hit; to be kept as gate_beside.
-- From an hour before its first install on a host is not beside: what takes effect at a boot is told of after it. Nor is
-- one of a ring from an hour before more than half of that had it: who lacks it there may have crashed before it could
-- say so. Nor is one with another update that an incident names, from an hour before that until the incident is over: what that
-- one does to its hosts says nothing of those that lack it.
-- A host that crashes a third time in a day, or more often, is in a loop: its crashes tell nothing of others.
-- Reads the kept tables gate_exposed, gate_events, gate_named and gate_hits.
WITH fleet AS (
  SELECT
    hosts.host_id, hosts.os_type, hosts.region, coalesce(hosts.site, hosts."group", hosts.customer) AS place, hosts.ring,
    coalesce(exposed.first_us, 9223372036854775807) AS first_us
  FROM hosts LEFT JOIN gate_exposed AS exposed ON exposed.host_id = hosts.host_id
),
ranked AS (
  SELECT
    ring, first_us,
    2 * row_number() OVER (PARTITION BY ring ORDER BY first_us) > count(*) OVER (PARTITION BY ring) AS is_most
  FROM fleet
),
filled AS (SELECT ring, min(first_us) AS first_us FROM ranked WHERE is_most GROUP BY ring),
described AS (
  SELECT
    fleet.host_id, dimension.name AS dimension,
    CASE dimension.name WHEN 'os_type' THEN os_type WHEN 'region' THEN region ELSE place END AS value,
    (least(fleet.first_us, filled.first_us) - 3600000000) // 900000000 AS until_bucket,
    (named.from_us - 3600000000) // 900000000 AS named_from, named.until_us // 900000000 AS named_until
  FROM fleet
  LEFT JOIN gate_named AS named ON named.host_id = fleet.host_id
  JOIN filled ON filled.ring IS NOT DISTINCT FROM fleet.ring
  CROSS JOIN (VALUES ('os_type'), ('region'), ('place')) AS dimension (name)
),
around AS (
  SELECT DISTINCT
    dimension.name AS dimension,
    CASE dimension.name WHEN 'os_type' THEN os_type WHEN 'region' THEN region ELSE place END AS value,
    gate_hits.bucket + beside.buckets AS bucket
  FROM gate_hits
  CROSS JOIN (VALUES ('os_type'), ('region'), ('place')) AS dimension (name)
  CROSS JOIN (VALUES (-1), (0), (1)) AS beside (buckets)
),
hit AS (
  SELECT described.dimension, described.value, events.at_us // 900000000 AS bucket, count(DISTINCT described.host_id) AS hits
  FROM described JOIN gate_events AS events ON events.host_id = described.host_id
  WHERE described.value IS NOT NULL AND events.at_us // 900000000 < described.until_bucket AND NOT events.looping
    AND NOT coalesce(events.at_us // 900000000 BETWEEN described.named_from AND described.named_until, false)
  GROUP BY described.dimension, described.value, bucket
),
leaving AS (
  SELECT dimension, value, until_bucket, named_from, named_until, count(*) AS hosts
  FROM described GROUP BY dimension, value, until_bucket, named_from, named_until
)
SELECT
  around.dimension, around.value, around.bucket,
  CAST(sum(leaving.hosts) AS BIGINT) AS hosts, coalesce(any_value(hit.hits), 0) AS hits
FROM around
JOIN leaving
  ON leaving.dimension = around.dimension AND leaving.value = around.value AND leaving.until_bucket > around.bucket
  AND NOT coalesce(around.bucket BETWEEN leaving.named_from AND leaving.named_until, false)
LEFT JOIN hit ON hit.dimension = around.dimension AND hit.value = around.value AND hit.bucket = around.bucket
GROUP BY around.dimension, around.value, around.bucket
