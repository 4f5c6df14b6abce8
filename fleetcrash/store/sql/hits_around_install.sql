-- Hosts that an update has reached, when each was first hit with it and whether it had been in as much time before it, one row
-- per host. Hit: a crash, or an always-on host that went dark. $update_id: the update.
-- had_s: seconds from the install to the end of the exposure or the instant. before_s: as many before the install, or since
-- the host was first online. Reads the kept tables known_presence, known_spans, known_exposures and judged_crashes.
WITH reached AS (
  SELECT host_id, min(exposed_from) AS installed_at, max(exposed_until) AS exposed_until
  FROM known_exposures WHERE update_id = $update_id GROUP BY host_id
),
ended AS (
  SELECT
    host_id, online_from, online_until, assumed,
    lead(online_from) OVER (PARTITION BY host_id ORDER BY online_from) AS next_from
  FROM known_presence SEMI JOIN reached USING (host_id)
),
spanned AS (
  SELECT
    reached.host_id, any_value(reached.installed_at) AS installed_at, any_value(reached.exposed_until) AS exposed_until,
    epoch(any_value(least(reached.exposed_until, CAST(getvariable('as_of') AS TIMESTAMPTZ)) - reached.installed_at)) AS had_s,
    coalesce(epoch(any_value(reached.installed_at) - min(ended.online_from)), 0.0) AS known_s
  FROM reached LEFT JOIN ended ON ended.host_id = reached.host_id
  GROUP BY reached.host_id
),
compared AS (
  SELECT host_id, installed_at, exposed_until, had_s, greatest(least(had_s, known_s), 0.0) AS before_s FROM spanned
),
hit AS (
  SELECT host_id, judged_at AS hit_at FROM judged_crashes SEMI JOIN reached USING (host_id)
  WHERE judged_at >= (SELECT min(installed_at - to_microseconds(CAST(1e6 * before_s AS BIGINT))) FROM compared)
    AND judged_at < (SELECT max(exposed_until) FROM compared)
  UNION ALL
  SELECT ended.host_id, ended.online_until
  FROM ended SEMI JOIN (SELECT host_id FROM known_spans WHERE valid_until IS NULL AND always_on) AS always_on USING (host_id)
  WHERE NOT ended.assumed AND ended.online_until IS NOT NULL
    AND (ended.next_from IS NULL OR ended.next_from > ended.online_until + INTERVAL 10 MINUTE)
)
SELECT
  compared.host_id, any_value(compared.installed_at) AS installed_at,
  min(hit.hit_at) FILTER (hit.hit_at >= compared.installed_at AND hit.hit_at < compared.exposed_until) AS hit_at,
  coalesce(
    bool_or(
      hit.hit_at < compared.installed_at AND hit.hit_at >= compared.installed_at - to_microseconds(CAST(1e6 * compared.before_s AS BIGINT))
    ), false
  ) AS hit_before,
  any_value(compared.had_s) AS had_s, any_value(compared.before_s) AS before_s
FROM compared LEFT JOIN hit ON hit.host_id = compared.host_id
GROUP BY compared.host_id
ORDER BY compared.host_id
