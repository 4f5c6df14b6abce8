-- Crashes with their shape and the attributes that their hosts had, one row per crash, in the order of time: who asks for
-- a window reads little more than the window.
-- host, shape: numbers, as in shaped_crashes. kind: a number for all the attributes together, as in online_stretches.
-- Attributes: the crash's own, else the host's at the crash, else 'unknown'.
-- exposed_at: when exposure is judged. Of a crash noticed at the next boot that is the end of the session before that boot;
-- while that end is not known yet, the crash's own time stands in for it, not the end of a still earlier session.
-- Reads the kept tables shaped_crashes, known_presence and known_spans.
WITH left_behind AS (
  SELECT
    host_id, online_until,
    coalesce(online_until, lead(online_from) OVER (PARTITION BY host_id ORDER BY online_from)) AS left_at
  FROM known_presence
),
dated AS (
  SELECT *, placed_at AS exposed_at FROM shaped_crashes WHERE NOT at_next_boot
  UNION ALL
  SELECT noticed.*, coalesce(left_behind.online_until, noticed.placed_at)
  FROM (SELECT * FROM shaped_crashes WHERE at_next_boot) AS noticed
  ASOF LEFT JOIN left_behind ON left_behind.host_id = noticed.host_id AND noticed.placed_at >= left_behind.left_at
),
attributed AS (
  SELECT
    dated.crash_id, dated.host_id, dated.placed_at, dated.os_type, dated.domain, dated.code, dated.module, dated.exposed_at,
    coalesce(dated.os_build, host_spans.os_build, 'unknown') AS os_build,
    coalesce(dated.agent_version, host_spans.agent_version, 'unknown') AS agent_version,
    coalesce(host_spans.model, 'unknown') AS model,
    coalesce(host_spans.region, 'unknown') AS region,
    coalesce(host_spans.ring, 'unknown') AS ring,
    coalesce(host_spans.site, 'unknown') AS site,
    dated.shape, dated.host
  FROM dated LEFT JOIN known_spans AS host_spans
    ON host_spans.host_id = dated.host_id
    AND host_spans.valid_from <= dated.placed_at AND coalesce(host_spans.valid_until, 'infinity') > dated.placed_at
)
SELECT *, hash(os_type, os_build, agent_version, model, region, ring, site) AS kind FROM attributed
ORDER BY placed_at
