-- Hosts that have, or had, an update as of the instant, one row per host, microseconds; to be kept as gate_exposed.
-- $update_id: the update. $most_share: of a ring, that one customer may stand for, unless it is more of the fleet.
-- ring: as the inventory has it, null where it is silent. weight: what the host counts in the bound, less than 1 where
-- its customer (else site, else group) has more than its part of the ring. place: hosts that may fall together (site,
-- else group, else customer); null: the host by itself. Reads the kept table known_history.
WITH exposed AS (
  SELECT
    host_id, min(exposed_from) AS installed_at,
    nullif(max(coalesce(exposed_until, 'infinity')), 'infinity') AS ended_at
  FROM known_history
  WHERE update_id = $update_id AND superseded_known IS NULL
    AND exposed_from < coalesce(exposed_until, 'infinity')
    AND exposed_from <= CAST(getvariable('as_of') AS TIMESTAMPTZ)
  GROUP BY host_id
),
fleet AS (
  SELECT
    host_id, ring, region, os_type, coalesce(site, "group", customer) AS place,
    CASE WHEN customer IS NOT NULL THEN 'customer ' || customer WHEN site IS NOT NULL THEN 'site ' || site
      ELSE 'group ' || "group" END AS customer
  FROM hosts
),
shares AS (
  SELECT customer, count(*) / (SELECT count(*) FROM fleet) AS of_fleet
  FROM fleet WHERE customer IS NOT NULL GROUP BY customer
),
described AS (
  SELECT
    exposed.host_id, exposed.installed_at, exposed.ended_at, fleet.ring, fleet.region, fleet.os_type, fleet.place,
    fleet.customer
  FROM exposed LEFT JOIN fleet ON fleet.host_id = exposed.host_id
),
counted AS (
  SELECT
    *,
    count(*) OVER (PARTITION BY ring) AS of_ring,
    count(*) OVER (PARTITION BY ring, customer) AS of_customer
  FROM described
)
SELECT
  counted.host_id, counted.ring, counted.region, counted.os_type, counted.place,
  CAST(epoch_us(counted.installed_at) AS BIGINT) AS installed_us,
  CAST(epoch_us(counted.ended_at) AS BIGINT) AS ended_us,
  CASE
    WHEN counted.customer IS NULL THEN 1.0
    ELSE least(1.0, greatest(CAST($most_share AS DOUBLE), shares.of_fleet) * of_ring / of_customer)
  END AS weight
FROM counted LEFT JOIN shares ON shares.customer = counted.customer
