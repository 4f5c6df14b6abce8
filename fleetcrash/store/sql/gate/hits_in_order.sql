-- Hosts that were hit, one row per host, in the order of the hits.
-- age: of the install, 0 under two minutes, 1 under ten, 2 under an hour, 3 under a day. place: hosts that may fall
-- together; null: the host by itself. restarted, shared, since_crash, relapsed, overtaken: as of gate_hits. beside_*: hosts without the update that were hit in
-- the same three quarters of an hour in the same OS, region or place, and the host-minutes of all such hosts in these:
-- as the update goes out there are fewer in each quarter.
-- Reads the kept tables gate_hits, gate_beside and gate_exposed.
WITH near AS (
  SELECT
    hits.host_id, beside.dimension, CAST(sum(beside.hits) AS BIGINT) AS hits,
    15 * CAST(sum(beside.hosts) AS BIGINT) AS minutes
  FROM gate_hits AS hits
  JOIN gate_beside AS beside
    ON beside.value = CASE beside.dimension WHEN 'os_type' THEN hits.os_type WHEN 'region' THEN hits.region ELSE hits.place END
    AND beside.bucket BETWEEN hits.bucket - 1 AND hits.bucket + 1
  GROUP BY hits.host_id, beside.dimension
)
SELECT
  hits.ring, hits.os_type, hits.always_on, hits.since_boot, hits.outcome, hits.crashed, hits.weight, hits.restarted,
  hits.shared, hits.since_crash, hits.relapsed, hits.overtaken,
  hits.place, hits.at_us,
  CAST((hits.at_us + 59999999) // 60000000 AS BIGINT) AS minute,
  CASE
    WHEN hits.at_us < hits.installed_us + 120000000 THEN 0
    WHEN hits.at_us < hits.installed_us + 600000000 THEN 1
    WHEN hits.at_us < hits.installed_us + 3600000000 THEN 2
    ELSE 3
  END AS age,
  coalesce(by_os.hits, 0) AS beside_os_hits, coalesce(by_os.minutes, 0) AS beside_os_minutes,
  coalesce(by_region.hits, 0) AS beside_region_hits, coalesce(by_region.minutes, 0) AS beside_region_minutes,
  coalesce(by_place.hits, 0) AS beside_place_hits, coalesce(by_place.minutes, 0) AS beside_place_minutes
FROM gate_hits AS hits
LEFT JOIN near AS by_os ON by_os.host_id = hits.host_id AND by_os.dimension = 'os_type'
LEFT JOIN near AS by_region ON by_region.host_id = hits.host_id AND by_region.dimension = 'region'
LEFT JOIN near AS by_place ON by_place.host_id = hits.host_id AND by_place.dimension = 'place'
ORDER BY hits.at_us, hits.host_id
