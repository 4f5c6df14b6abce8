-- What an update did to each host as of the instant, one row per host that has been exposed to it or may yet be.
-- $update_id: the update. Attributes are those of the instant; matching them with a condition is the reader's.
-- state follows the order of the contract: recovered, dark, crashed, cleared, at_risk; pending: never exposed.
-- Reads the kept tables known_presence, known_installs, known_spans, known_history and judged_crashes.
WITH exposed AS (
  SELECT
    host_id, exposed_from, coalesce(exposed_until, 'infinity') AS exposed_until
  FROM known_history
  WHERE update_id = $update_id AND superseded_known IS NULL AND exposed_from < coalesce(exposed_until, 'infinity')
),
exposed_hosts AS (
  SELECT
    host_id, min(exposed_from) AS installed_at,
    max(exposed_until) > CAST(getvariable('as_of') AS TIMESTAMPTZ) AS still_exposed
  FROM exposed GROUP BY host_id
),
ended AS (
  SELECT
    host_id, online_from, online_until, assumed,
    lead(online_from) OVER (PARTITION BY host_id ORDER BY online_from) AS next_from
  FROM known_presence
),
crashed AS (
  SELECT exposed.host_id, judged_crashes.placed_at
  FROM exposed
  JOIN judged_crashes
    ON judged_crashes.host_id = exposed.host_id
    AND judged_crashes.judged_at >= exposed.exposed_from AND judged_crashes.judged_at < exposed.exposed_until
  WHERE judged_crashes.judged_at >= (SELECT min(exposed_from) FROM exposed)
),
always_on AS (
  SELECT host_id FROM known_spans WHERE valid_until IS NULL AND always_on
),
gone_dark AS (
  SELECT exposed.host_id, ended.online_until, ended.next_from IS NULL AS lasting
  FROM exposed
  JOIN always_on ON always_on.host_id = exposed.host_id
  JOIN ended
    ON ended.host_id = exposed.host_id AND NOT ended.assumed
    AND ended.online_until >= exposed.exposed_from AND ended.online_until < exposed.exposed_until
  WHERE ended.next_from IS NULL OR ended.next_from > ended.online_until + INTERVAL 10 MINUTE
),
hit AS (
  SELECT
    host_id, max(hit_at) AS last_hit_at, min(crashed_at) AS crashed_at, count(crashed_at) AS crashes,
    min(hit_at) FILTER (dark) AS dark_at, bool_or(dark) AS has_gone_dark, bool_or(lasting) AS is_dark
  FROM (
    SELECT host_id, placed_at AS hit_at, placed_at AS crashed_at, false AS dark, false AS lasting FROM crashed
    UNION ALL
    SELECT host_id, online_until, NULL, true, lasting FROM gone_dark
  ) AS hits
  GROUP BY host_id
),
back AS (
  SELECT DISTINCT hit.host_id
  FROM hit JOIN known_presence AS presence ON presence.host_id = hit.host_id
  WHERE least(coalesce(presence.online_until, 'infinity'), CAST(getvariable('as_of') AS TIMESTAMPTZ))
    >= greatest(presence.online_from, hit.last_hit_at) + INTERVAL 30 MINUTE
),
now_on AS (
  SELECT * FROM known_spans
  WHERE valid_from <= CAST(getvariable('as_of') AS TIMESTAMPTZ)
    AND coalesce(valid_until, 'infinity') > CAST(getvariable('as_of') AS TIMESTAMPTZ)
),
concerned AS (
  SELECT host_id FROM exposed_hosts
  UNION
  SELECT now_on.host_id FROM now_on
  WHERE now_on.os_type IN (
      SELECT with_it.os_type FROM now_on AS with_it JOIN exposed_hosts ON exposed_hosts.host_id = with_it.host_id
    )
    AND NOT EXISTS (
      SELECT 1 FROM updates WHERE update_id = $update_id AND reverted_at IS NOT NULL
    )
),
-- Whoever is online was seen this instant; only of the others may a crash or an install be what was seen last.
not_online AS (
  SELECT host_id FROM concerned
  WHERE host_id NOT IN (SELECT host_id FROM known_presence WHERE online_until IS NULL)
),
seen AS (
  SELECT host_id, max(seen_at) AS last_seen_at
  FROM (
    SELECT host_id, coalesce(online_until, CAST(getvariable('as_of') AS TIMESTAMPTZ)) AS seen_at FROM known_presence
    UNION ALL SELECT host_id, placed_at FROM judged_crashes SEMI JOIN not_online USING (host_id)
    UNION ALL SELECT host_id, placed_at FROM known_installs SEMI JOIN not_online USING (host_id)
  ) AS sightings
  GROUP BY host_id
)
SELECT
  concerned.host_id,
  CASE
    WHEN exposed_hosts.host_id IS NULL THEN 'pending'
    WHEN back.host_id IS NOT NULL THEN 'recovered'
    WHEN hit.is_dark THEN 'dark'
    WHEN hit.crashes > 0 THEN 'crashed'
    WHEN NOT exposed_hosts.still_exposed AND hit.host_id IS NULL THEN 'cleared'
    ELSE 'at_risk'
  END AS state,
  now_on.os_type, now_on.os_version, now_on.os_build, now_on.agent_version, now_on.model, now_on.region, now_on.ring,
  now_on."group", now_on.site, now_on.customer,
  exposed_hosts.installed_at, hit.crashed_at, hit.dark_at, seen.last_seen_at,
  coalesce(hit.crashes, 0) AS crashes, coalesce(hit.has_gone_dark, false) AS has_gone_dark
FROM concerned
LEFT JOIN exposed_hosts ON exposed_hosts.host_id = concerned.host_id
LEFT JOIN hit ON hit.host_id = concerned.host_id
LEFT JOIN back ON back.host_id = concerned.host_id
LEFT JOIN seen ON seen.host_id = concerned.host_id
LEFT JOIN now_on ON now_on.host_id = concerned.host_id
ORDER BY concerned.host_id
