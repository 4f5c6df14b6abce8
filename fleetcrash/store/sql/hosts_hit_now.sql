-- What became of some hosts as of the instant, one row per host, by name: attributes and state of the instant.
-- $hosts: their names. For each $crashed: whether it did; $hit_us: when it crashed or went dark last; $dark_us: when it went dark
-- last, null for never.
-- state, in the order of the contract: recovered, dark, crashed; at_risk: came back from the dark less than 30 minutes ago.
-- Reads the kept tables known_presence, known_installs and known_spans.
WITH hit AS (
  SELECT
    unnest(CAST($hosts AS VARCHAR[])) AS host_id, unnest(CAST($crashed AS BOOLEAN[])) AS crashed,
    unnest(CAST($hit_us AS BIGINT[])) AS hit_us, unnest(CAST($dark_us AS BIGINT[])) AS dark_us
),
sat AS (
  SELECT
    hit.host_id, max(presence.online_from) AS last_from,
    max(coalesce(presence.online_until, CAST(getvariable('as_of') AS TIMESTAMPTZ))) AS seen_at,
    bool_or(presence.online_until IS NULL) AS is_online,
    bool_or(
      least(coalesce(presence.online_until, 'infinity'), CAST(getvariable('as_of') AS TIMESTAMPTZ))
        >= greatest(presence.online_from, make_timestamptz(hit.hit_us)) + INTERVAL 30 MINUTE
    ) AS is_back
  FROM hit JOIN known_presence AS presence ON presence.host_id = hit.host_id
  GROUP BY hit.host_id
),
installed AS (
  SELECT host_id, max(placed_at) AS seen_at FROM known_installs SEMI JOIN hit USING (host_id) GROUP BY host_id
),
now_on AS (
  SELECT * FROM known_spans
  WHERE valid_from <= CAST(getvariable('as_of') AS TIMESTAMPTZ)
    AND coalesce(valid_until, 'infinity') > CAST(getvariable('as_of') AS TIMESTAMPTZ)
)
SELECT
  hit.host_id,
  CASE
    WHEN sat.is_back THEN 'recovered'
    WHEN hit.dark_us IS NOT NULL AND coalesce(sat.last_from <= make_timestamptz(hit.dark_us), true) THEN 'dark'
    WHEN hit.crashed THEN 'crashed'
    ELSE 'at_risk'
  END AS state,
  now_on.os_type, now_on.os_version, now_on.os_build, now_on.agent_version, now_on.model, now_on.region, now_on.ring,
  now_on."group", now_on.site, now_on.customer,
  CASE WHEN sat.is_online THEN sat.seen_at ELSE greatest(sat.seen_at, installed.seen_at, make_timestamptz(hit.hit_us)) END
    AS last_seen_at
FROM hit
LEFT JOIN sat ON sat.host_id = hit.host_id
LEFT JOIN installed ON installed.host_id = hit.host_id
LEFT JOIN now_on ON now_on.host_id = hit.host_id
ORDER BY hit.host_id
