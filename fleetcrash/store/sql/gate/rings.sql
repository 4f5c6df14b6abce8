-- The rings that have, or had, the update, one row per ring, in the order in which they got it.
-- ring: as the inventory has it; null for hosts of which it tells none.
-- soaked_from_us: when a twentieth of its hosts had it, or had it again, if it was sent again to two at least; a stray
-- host begins no soak.
-- begun: it is more than a few strays: a hundredth of the ring, and one in two hundred of all hosts that have it.
-- beat_us: newest heartbeat of such a host, null unless most of them tell of their presence so.
-- left_us: when the last of them went offline; null while one is online, and where presence is not told.
-- still_dark: servers, by the inventory, whose last session ended while they had it, as in host_states.
-- holders: those that have it still. silent: servers that were hit and are offline. hosts: that the inventory has in the ring.
-- telling: those that had it for an hour, or have it, without another update as well that is named; weighted: their weight;
-- weight: of all of them. both_named: those that have, or had, another such update as well.
-- Reads the kept tables gate_exposed, gate_hits, known_presence and known_spans.
WITH beats AS (
  SELECT host_id, max(least("at", known_at)) AS beat_at FROM lake_heartbeat
  WHERE known_at <= getvariable('as_of') GROUP BY host_id
),
lefts AS (
  SELECT
    host_id,
    CASE WHEN bool_and(coalesce(online_until <= CAST(getvariable('as_of') AS TIMESTAMPTZ) - INTERVAL 10 MINUTE, false))
      THEN max(online_until) ELSE 'infinity' END AS left_at
  FROM known_presence WHERE NOT assumed GROUP BY host_id
),
resent AS (
  SELECT ring, max(installed_us) AS soaked_from_us
  FROM (
    SELECT
      ring, installed_us, row_number() OVER (PARTITION BY ring, sending ORDER BY installed_us) AS place,
      sending > 1 AS is_again, count(*) OVER (PARTITION BY ring) AS of_ring
    FROM gate_exposed
  ) AS told
  WHERE is_again AND place = greatest(CAST(ceil(of_ring / 20) AS BIGINT), least(2, of_ring))
  GROUP BY ring
),
sizes AS (SELECT ring, count(*) AS hosts FROM hosts GROUP BY ring)
SELECT
  exposed.ring,
  count(*) AS exposed, count(*) FILTER (told_alone) AS telling, count(exposed.shared_us) AS both_named,
  coalesce(sum(exposed.weight) FILTER (told_alone), 0.0) AS weighted, sum(exposed.weight) AS weight,
  100 * count(*) >= coalesce(any_value(sizes.hosts), 0) AND 200 * count(*) >= sum(count(*)) OVER () AS begun,
  CAST(min(exposed.first_us) AS BIGINT) AS first_us,
  CAST(
    greatest(quantile_disc(exposed.installed_us, 0.05), any_value(resent.soaked_from_us)) AS BIGINT
  ) AS soaked_from_us,
  CASE WHEN 2 * count(beats.host_id) > count(*) THEN CAST(epoch_us(max(beats.beat_at)) AS BIGINT) END AS beat_us,
  CAST(epoch_us(nullif(max(lefts.left_at), 'infinity')) AS BIGINT) AS left_us,
  count(*) FILTER (exposed.ended_us IS NULL) AS holders,
  count(*) FILTER (hits.always_on AND lefts.left_at < 'infinity') AS silent,
  count(*) FILTER (
    always_on.host_id IS NOT NULL AND lefts.left_at < 'infinity'
    AND lefts.left_at >= make_timestamptz(exposed.installed_us)
    AND coalesce(lefts.left_at < make_timestamptz(exposed.ended_us), true)
  ) AS still_dark,
  coalesce(any_value(sizes.hosts), 0) AS hosts
FROM (
  SELECT *, coalesce(shared_us >= installed_us + 3600000000, true) AS told_alone FROM gate_exposed
) AS exposed
LEFT JOIN beats ON beats.host_id = exposed.host_id
LEFT JOIN lefts ON lefts.host_id = exposed.host_id
LEFT JOIN (SELECT DISTINCT host_id FROM known_spans WHERE valid_until IS NULL AND always_on) AS always_on
  ON always_on.host_id = exposed.host_id
LEFT JOIN gate_hits AS hits ON hits.host_id = exposed.host_id
LEFT JOIN resent ON resent.ring IS NOT DISTINCT FROM exposed.ring
LEFT JOIN sizes ON sizes.ring IS NOT DISTINCT FROM exposed.ring
GROUP BY exposed.ring
ORDER BY first_us, exposed.ring
