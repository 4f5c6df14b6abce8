-- Crashes with the attributes that their hosts had, one row per crash.
-- Attributes: the crash's own, else the host's at the crash, else 'unknown'.
-- exposed_at: when exposure is judged; of a crash noticed at the next boot, at the end of the session before it.
WITH ended AS (SELECT host_id, online_until FROM presence WHERE online_until IS NOT NULL),
dated AS (
  SELECT
    crashes.crash_id, crashes.host_id, crashes.placed_at, crashes.os_type, crashes.agent_version, crashes.domain,
    crashes.code, crashes.module,
    CASE WHEN crashes.time_quality = 'reboot' THEN coalesce(ended.online_until, crashes.placed_at)
      ELSE crashes.placed_at END AS exposed_at
  FROM crashes ASOF LEFT JOIN ended
    ON ended.host_id = crashes.host_id AND ended.online_until <= crashes.placed_at
)
SELECT
  dated.* EXCLUDE (agent_version),
  coalesce(dated.agent_version, host_spans.agent_version, 'unknown') AS agent_version
FROM dated ASOF LEFT JOIN host_spans
  ON host_spans.host_id = dated.host_id AND host_spans.valid_from <= dated.placed_at
