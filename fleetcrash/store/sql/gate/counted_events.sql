-- Crashes (outcome 0) and silences (1) as the gate counts them, one row per event; to be kept as gate_events.
-- The detector's events, and what it leaves out because patching reboots: a server that went down within an hour after an OS
-- patch and is not back in another hour. One that is back in two was slow, and is none any more. restarted: it is such a one,
-- which keeps an update from going and halts none until the detector takes its silence for an event, too.
-- again: a crash in the day after another one of its host, or told after a later one, which is no event of the detector.
-- looping: the third of a day, or a later one.
-- Reads the kept tables events, gate_crashes, known_presence, known_installs, known_spans and host_cell.
WITH followed AS (
  SELECT
    host_id, online_from, online_until, lead(online_from) OVER (PARTITION BY host_id ORDER BY online_from) AS next_from
  FROM known_presence WHERE NOT assumed
),
silent AS (
  SELECT followed.host_id, followed.online_from, followed.online_until
  FROM followed
  JOIN known_spans
    ON known_spans.host_id = followed.host_id AND known_spans.always_on
    AND known_spans.valid_from <= followed.online_until
    AND coalesce(known_spans.valid_until, 'infinity') > followed.online_until
  WHERE coalesce(
      followed.next_from > followed.online_until + INTERVAL 2 HOUR,
      CAST(getvariable('as_of') AS TIMESTAMPTZ) - INTERVAL 10 MINUTE > followed.online_until + INTERVAL 1 HOUR
    )
    AND EXISTS (
      SELECT 1 FROM known_installs JOIN updates ON updates.update_id = known_installs.update_id
      WHERE known_installs.host_id = followed.host_id AND updates.kind = 'os_patch'
        AND known_installs.placed_at <= followed.online_until
        AND known_installs.placed_at > followed.online_until - INTERVAL 1 HOUR
    )
    AND NOT EXISTS (
      SELECT 1 FROM events
      WHERE events.outcome = 1 AND events.patched_tick IS NULL AND events.host_id = followed.host_id
        AND events.at_us = CAST(epoch_us(followed.online_until) AS BIGINT)
    )
)
SELECT event, outcome, host_id, os_type, cell, at_us, least(since_boot, 2) AS since_boot, false AS restarted,
  false AS again, false AS looping
FROM events WHERE patched_tick IS NULL
UNION ALL
SELECT
  -1, 1, silent.host_id, NULL, coalesce(host_cell.cell, -1), CAST(epoch_us(silent.online_until) AS BIGINT),
  CASE
    WHEN silent.online_until < silent.online_from + INTERVAL 10 MINUTE THEN 0
    WHEN silent.online_until < silent.online_from + INTERVAL 30 MINUTE THEN 1
    ELSE 2
  END,
  true, false, false
FROM silent
LEFT JOIN host_cell
  ON host_cell.host_id = silent.host_id
  AND host_cell.from_us <= CAST(epoch_us(silent.online_until) AS BIGINT)
  AND coalesce(host_cell.until_us, 9223372036854775807) > CAST(epoch_us(silent.online_until) AS BIGINT)
UNION ALL
SELECT -1, 0, repeated.host_id, NULL, coalesce(host_cell.cell, -1), repeated.at_us, 2, false, true,
  coalesce(repeated.before_us > repeated.at_us - 86400000000, false)
FROM gate_crashes AS repeated
LEFT JOIN host_cell
  ON host_cell.host_id = repeated.host_id
  AND host_cell.from_us <= repeated.at_us AND coalesce(host_cell.until_us, 9223372036854775807) > repeated.at_us
WHERE NOT repeated.is_event
  AND (repeated.last_us > repeated.at_us - 86400000000 OR repeated.next_us < repeated.at_us + 86400000000)
