-- All crashes, one row per crash, with those of its host around it, microseconds; to be kept as gate_crashes.
-- at_us: where exposure is judged, as in events and judged_crashes. last_us, before_us: the host's last crash by then, and the
-- one before that; next_us: its next one. is_event: the detector counts it, which is the first of a host in a day.
-- Reads the kept tables events and known_presence.
WITH left_behind AS (
  SELECT
    host_id, online_until,
    coalesce(online_until, lead(online_from) OVER (PARTITION BY host_id ORDER BY online_from)) AS left_at
  FROM known_presence
),
judged AS (
  SELECT crash_id, host_id, placed_at AS judged_at FROM crashes WHERE time_quality IS DISTINCT FROM 'reboot'
  UNION ALL
  SELECT noticed.crash_id, noticed.host_id, coalesce(left_behind.online_until, noticed.placed_at)
  FROM (SELECT crash_id, host_id, placed_at FROM crashes WHERE time_quality = 'reboot') AS noticed
  ASOF LEFT JOIN left_behind ON left_behind.host_id = noticed.host_id AND noticed.placed_at >= left_behind.left_at
),
dated AS (
  SELECT
    judged.host_id, judged.crash_id, events.event IS NOT NULL AS is_event,
    coalesce(events.at_us, CAST(epoch_us(judged.judged_at) AS BIGINT)) AS at_us
  FROM judged LEFT JOIN events ON events.outcome = 0 AND events.event_id = judged.crash_id
)
SELECT
  host_id, at_us, is_event, lag(at_us) OVER of_host AS last_us, lag(at_us, 2) OVER of_host AS before_us,
  lead(at_us) OVER of_host AS next_us
FROM dated
WINDOW of_host AS (PARTITION BY host_id ORDER BY at_us, crash_id)
