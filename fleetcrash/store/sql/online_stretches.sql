-- Stretches online of hosts, one row per host and stretch of unchanged attributes, half-open [online_from, online_until),
-- 'infinity' while it lasts: a stretch is to stay the same as long as nothing becomes known of its host.
-- host: a number for host_id, to count and join by; two hosts of one number, a chance of 3e-6 among ten million, count as one.
-- kind: a number for all the attributes together, see host_kinds; by the same chance two kinds of one number count as one.
-- A host without a row in the inventory is 'unknown'; so is the time before its first row.
-- Reads the kept tables known_presence and known_spans.
WITH spanned AS MATERIALIZED (
  SELECT
    host_id, valid_from, coalesce(valid_until, 'infinity') AS valid_until,
    os_type, os_build, agent_version, model, region, ring, site
  FROM known_spans
),
described AS (
  SELECT * FROM spanned
  UNION ALL BY NAME
  SELECT host_id, CAST('-infinity' AS TIMESTAMPTZ) AS valid_from, min(valid_from) AS valid_until FROM spanned GROUP BY host_id
),
stretched AS (
  SELECT host_id, online_from, coalesce(online_until, 'infinity') AS online_until FROM known_presence
),
attributed AS (
  SELECT
    stretched.host_id,
    greatest(stretched.online_from, described.valid_from) AS online_from,
    least(stretched.online_until, described.valid_until) AS online_until,
    coalesce(described.os_type, 'unknown') AS os_type,
    coalesce(described.os_build, 'unknown') AS os_build,
    coalesce(described.agent_version, 'unknown') AS agent_version,
    coalesce(described.model, 'unknown') AS model,
    coalesce(described.region, 'unknown') AS region,
    coalesce(described.ring, 'unknown') AS ring,
    coalesce(described.site, 'unknown') AS site,
    hash(stretched.host_id) AS host
  FROM stretched LEFT JOIN described
    ON described.host_id = stretched.host_id
    AND described.valid_from < stretched.online_until
    AND described.valid_until > stretched.online_from
  WHERE stretched.online_from < stretched.online_until
)
SELECT *, hash(os_type, os_build, agent_version, model, region, ring, site) AS kind FROM attributed
