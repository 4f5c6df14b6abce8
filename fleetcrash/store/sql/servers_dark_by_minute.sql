-- Servers that went dark, one row per bucket of $bucket_s seconds and OS or agent version in which any did: always-on hosts whose
-- session ended and that were not back within a quarter of an hour, as somebody who restarts one has it.
-- $since, $until: half-open, UTC, by the end of the session, which is known ten minutes after. $by: 'os_type' or 'agent_version',
-- which is what line tells. $os_types, $os_builds, $agent_versions, $models, $regions, $rings, $sites: lists; an empty list filters
-- nothing.
-- Reads the kept tables known_presence and known_spans.
WITH servers AS (
  SELECT
    host_id, valid_from, coalesce(valid_until, 'infinity') AS valid_until, coalesce(os_type, 'unknown') AS os_type,
    coalesce(os_build, 'unknown') AS os_build, coalesce(agent_version, 'unknown') AS agent_version,
    coalesce(model, 'unknown') AS model, coalesce(region, 'unknown') AS region, coalesce(ring, 'unknown') AS ring,
    coalesce(site, 'unknown') AS site
  FROM known_spans WHERE always_on
),
filtered AS (
  SELECT * FROM servers
  WHERE (coalesce(len(CAST($os_types AS VARCHAR[])), 0) = 0 OR list_contains(CAST($os_types AS VARCHAR[]), os_type))
    AND (coalesce(len(CAST($os_builds AS VARCHAR[])), 0) = 0 OR list_contains(CAST($os_builds AS VARCHAR[]), os_build))
    AND (
      coalesce(len(CAST($agent_versions AS VARCHAR[])), 0) = 0
      OR list_contains(CAST($agent_versions AS VARCHAR[]), agent_version)
    )
    AND (coalesce(len(CAST($models AS VARCHAR[])), 0) = 0 OR list_contains(CAST($models AS VARCHAR[]), model))
    AND (coalesce(len(CAST($regions AS VARCHAR[])), 0) = 0 OR list_contains(CAST($regions AS VARCHAR[]), region))
    AND (coalesce(len(CAST($rings AS VARCHAR[])), 0) = 0 OR list_contains(CAST($rings AS VARCHAR[]), ring))
    AND (coalesce(len(CAST($sites AS VARCHAR[])), 0) = 0 OR list_contains(CAST($sites AS VARCHAR[]), site))
),
ended AS (
  SELECT host_id, online_from, online_until FROM known_presence
  WHERE NOT assumed
    AND online_until >= CAST($since AS TIMESTAMPTZ) AND online_until < CAST($until AS TIMESTAMPTZ)
    AND host_id IN (SELECT host_id FROM filtered)
),
back AS (
  SELECT DISTINCT ended.host_id, ended.online_until
  FROM ended
  JOIN known_presence AS later
    ON later.host_id = ended.host_id AND later.online_from > ended.online_from
    AND later.online_from <= ended.online_until + INTERVAL 15 MINUTE
)
SELECT
  CAST($since AS TIMESTAMPTZ)
    + to_seconds(floor((epoch(ended.online_until) - epoch(CAST($since AS TIMESTAMPTZ))) / $bucket_s) * $bucket_s)
    AS bucket_start,
  CASE $by WHEN 'os_type' THEN filtered.os_type ELSE filtered.agent_version END AS line,
  count(DISTINCT ended.host_id) AS servers_dark
FROM ended
JOIN filtered
  ON filtered.host_id = ended.host_id
  AND filtered.valid_from <= ended.online_until AND filtered.valid_until > ended.online_until
ANTI JOIN back ON back.host_id = ended.host_id AND back.online_until = ended.online_until
GROUP BY ALL ORDER BY ALL
