-- What an update did to hosts from an instant to another, one row per crash and per going dark while exposed, and one per host that was
-- exposed by the second instant: hit is crash, dark, or null for that. With what the host was then, or if nothing was known of it, first.
-- $update_id: the update. $since, $until: the instants; null: from the first on, up to now.
-- $with_update: only where the host was exposed to this one as well; null: whatever else it had.
-- Reads the kept tables known_presence, known_spans, known_history and judged_crashes.
WITH bounds AS (
  SELECT
    coalesce(CAST($since AS TIMESTAMPTZ), '-infinity') AS since,
    coalesce(CAST($until AS TIMESTAMPTZ), CAST(getvariable('as_of') AS TIMESTAMPTZ)) AS until
),
exposed AS (
  SELECT host_id, exposed_from, coalesce(exposed_until, 'infinity') AS exposed_until
  FROM known_history
  WHERE update_id = $update_id AND superseded_known IS NULL AND exposed_from < coalesce(exposed_until, 'infinity')
    AND exposed_from <= (SELECT until FROM bounds)
),
exposed_hosts AS (
  SELECT host_id, min(exposed_from) AS installed_at FROM exposed GROUP BY host_id
),
ended AS (
  SELECT host_id, online_until, assumed, lead(online_from) OVER (PARTITION BY host_id ORDER BY online_from) AS next_from
  FROM known_presence
),
always_on AS (
  SELECT host_id FROM known_spans WHERE valid_until IS NULL AND always_on
),
hits AS (
  SELECT exposed.host_id, judged_crashes.judged_at AS hit_at, 'crash' AS hit
  FROM exposed
  JOIN judged_crashes
    ON judged_crashes.host_id = exposed.host_id
    AND judged_crashes.judged_at >= exposed.exposed_from AND judged_crashes.judged_at < exposed.exposed_until
  WHERE judged_crashes.placed_at > (SELECT since FROM bounds) AND judged_crashes.placed_at <= (SELECT until FROM bounds)
  UNION ALL
  SELECT exposed.host_id, ended.online_until, 'dark'
  FROM exposed
  JOIN always_on ON always_on.host_id = exposed.host_id
  JOIN ended
    ON ended.host_id = exposed.host_id AND NOT ended.assumed
    AND ended.online_until >= exposed.exposed_from AND ended.online_until < exposed.exposed_until
  WHERE (ended.next_from IS NULL OR ended.next_from > ended.online_until + INTERVAL 10 MINUTE)
    AND ended.online_until > (SELECT since FROM bounds) AND ended.online_until <= (SELECT until FROM bounds)
  UNION ALL
  SELECT exposed_hosts.host_id, bounds.until, NULL FROM exposed_hosts, bounds
),
with_both AS (
  SELECT hits.host_id, hits.hit_at
  FROM hits
  JOIN known_history AS beside
    ON beside.host_id = hits.host_id
    AND beside.exposed_from <= hits.hit_at AND coalesce(beside.exposed_until, 'infinity') > hits.hit_at
  WHERE beside.update_id = $with_update AND beside.superseded_known IS NULL
),
spans AS (
  SELECT
    * REPLACE (CASE WHEN lag(valid_from) OVER (PARTITION BY host_id ORDER BY valid_from) IS NULL
      THEN '-infinity' ELSE valid_from END AS valid_from)
  FROM known_spans SEMI JOIN exposed_hosts USING (host_id)
)
SELECT
  hits.host_id, exposed_hosts.installed_at, hits.hit,
  spans.os_type, spans.os_version, spans.os_build, spans.agent_version, spans.model, spans.region, spans.ring, spans."group",
  spans.site, spans.customer
FROM hits
JOIN exposed_hosts ON exposed_hosts.host_id = hits.host_id
LEFT JOIN spans
  ON spans.host_id = hits.host_id
  AND spans.valid_from <= hits.hit_at AND coalesce(spans.valid_until, 'infinity') > hits.hit_at
WHERE $with_update IS NULL OR (hits.host_id, hits.hit_at) IN (SELECT host_id, hit_at FROM with_both)
ORDER BY hits.host_id
