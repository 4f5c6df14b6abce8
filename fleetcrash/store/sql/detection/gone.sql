-- Sessions that ended and were not followed by another within ten minutes, one row per session: who left.
-- An OS patch restarts a host and may take longer; what ends in the hour after one is left out, but of servers that are not
-- back after another hour: then it is known. So may a driver, firmware above all; only a server's silence is news at once. Where no install is told, nobody knows in which hour of the day
-- after its release a patch restarted a host, and that day is left out.
-- in_time: told as it happened; of what is told in bulk later nobody counted who else was online.
-- cell: -1 for hosts that the inventory lacks. left_us: the end, gone_tick: when it was known; back_at: when the host was
-- known to be back, null until then. since_boot: as in at_risk; boot_us: when the session began.
-- Reads the kept tables known_presence, known_installs, known_spans and host_cell.
WITH followed AS (
  SELECT
    host_id, online_from, online_until, since_known, gone_known,
    lead(online_from) OVER of_host AS next_from,
    lead(since_known) OVER of_host AS next_known
  FROM known_presence
  WHERE NOT assumed
  WINDOW of_host AS (PARTITION BY host_id ORDER BY online_from)
),
restarting AS (
  SELECT known_installs.host_id, known_installs.placed_at, known_installs.known_at, updates.kind
  FROM known_installs JOIN updates ON updates.update_id = known_installs.update_id
  WHERE updates.kind IN ('os_patch', 'driver')
),
ended AS (
  SELECT
    followed.*, coalesce(known_spans.always_on, false) AS always_on,
    EXISTS (
      SELECT 1 FROM restarting
      WHERE restarting.host_id = followed.host_id AND restarting.known_at <= followed.gone_known
        AND restarting.placed_at <= followed.online_until
        AND restarting.placed_at > followed.online_until - INTERVAL 1 HOUR
        AND (restarting.kind = 'os_patch' OR NOT coalesce(known_spans.always_on, false))
    ) AS may_restart
  FROM followed
  LEFT JOIN known_spans
    ON known_spans.host_id = followed.host_id
    AND known_spans.valid_from <= followed.online_until
    AND coalesce(known_spans.valid_until, 'infinity') > followed.online_until
  WHERE followed.online_until IS NOT NULL
),
missed AS (
  SELECT
    * EXCLUDE (gone_known),
    CASE WHEN may_restart THEN greatest(gone_known, online_until + INTERVAL 1 HOUR) ELSE gone_known END AS gone_known
  FROM ended
  WHERE always_on OR NOT may_restart
),
patched AS (
  SELECT released_at, known_at FROM updates
  WHERE kind = 'os_patch' AND NOT EXISTS (FROM known_installs)
)
SELECT
  missed.host_id, missed.online_until, missed.gone_known,
  greatest(missed.next_from, missed.next_known) AS back_at,
  missed.always_on,
  missed.since_known <= missed.online_until
    AND missed.gone_known <= missed.online_until + CASE WHEN missed.may_restart THEN INTERVAL 90 MINUTE ELSE INTERVAL 30 MINUTE END
    AS in_time,
  coalesce(host_cell.cell, -1) AS cell,
  CAST(epoch_us(missed.online_until) AS BIGINT) AS left_us, CAST(epoch_us(missed.online_from) AS BIGINT) AS boot_us,
  (CAST(epoch_us(missed.gone_known) AS BIGINT) + 59999999) // 60000000 AS gone_tick,
  CASE
    WHEN missed.online_until < missed.online_from + INTERVAL 10 MINUTE THEN 0
    WHEN missed.online_until < missed.online_from + INTERVAL 30 MINUTE THEN 1
    WHEN missed.online_until < missed.online_from + INTERVAL 12 HOUR THEN 2
    ELSE 3
  END AS since_boot
FROM missed
LEFT JOIN host_cell
  ON host_cell.host_id = missed.host_id
  AND host_cell.from_us <= CAST(epoch_us(missed.online_until) AS BIGINT)
  AND coalesce(host_cell.until_us, 9223372036854775807) > CAST(epoch_us(missed.online_until) AS BIGINT)
WHERE missed.gone_known <= getvariable('as_of')
  AND (
    missed.next_from IS NULL
    OR missed.next_from > missed.online_until + CASE WHEN missed.may_restart THEN INTERVAL 1 HOUR ELSE INTERVAL 10 MINUTE END
    OR missed.next_known > missed.gone_known
  )
  AND NOT EXISTS (
    SELECT 1 FROM patched
    WHERE patched.known_at <= missed.gone_known AND patched.released_at <= missed.online_until
      AND patched.released_at > missed.online_until - INTERVAL 24 HOUR
  )
