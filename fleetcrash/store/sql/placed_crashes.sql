-- Crashes with their cluster and the attributes that their hosts had, one row per crash.
-- Attributes: the crash's own, else the host's at the crash, else 'unknown'.
-- exposed_at: when exposure is judged. Of a crash noticed at the next boot that is the end of the session before that boot;
-- while that end is not known yet, the crash's own time stands in for it, not the end of a still earlier session.
-- Reads the kept table clustered_crashes.
WITH left_behind AS (
  SELECT
    host_id, online_until,
    coalesce(online_until, lead(online_from) OVER (PARTITION BY host_id ORDER BY online_from)) AS left_at
  FROM presence
),
dated AS (
  SELECT
    crashes.crash_id, crashes.host_id, crashes.placed_at, crashes.os_type, crashes.os_build, crashes.agent_version,
    crashes.domain, crashes.code, crashes.module,
    CASE WHEN crashes.time_quality = 'reboot' THEN coalesce(left_behind.online_until, crashes.placed_at)
      ELSE crashes.placed_at END AS exposed_at
  FROM crashes ASOF LEFT JOIN left_behind
    ON left_behind.host_id = crashes.host_id AND crashes.placed_at >= left_behind.left_at
)
SELECT
  dated.* EXCLUDE (os_build, agent_version),
  coalesce(dated.os_build, host_spans.os_build, 'unknown') AS os_build,
  coalesce(dated.agent_version, host_spans.agent_version, 'unknown') AS agent_version,
  coalesce(host_spans.model, 'unknown') AS model,
  coalesce(host_spans.region, 'unknown') AS region,
  coalesce(host_spans.ring, 'unknown') AS ring,
  coalesce(host_spans.site, 'unknown') AS site,
  clustered_crashes.cluster_id, clustered_crashes.signature
FROM dated
JOIN clustered_crashes ON clustered_crashes.crash_id = dated.crash_id
ASOF LEFT JOIN host_spans
  ON host_spans.host_id = dated.host_id AND host_spans.valid_from <= dated.placed_at
