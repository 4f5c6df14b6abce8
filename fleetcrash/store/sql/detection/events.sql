-- What happened to hosts that may be news, one row per event, numbered in the order in which we knew.
-- A crash counts when it is 24 hours or more after every crash of its host that was known before it: a host in a loop is one
-- witness, and what is told late of the days before is none. Dark: an always-on host that left (see gone).
-- at_us: where exposure is judged. A crash noticed at the next boot happened at the end of the session before that boot, or
-- where that end was not known when the crash was, at the boot.
-- Where hosts count as online because they were seen, a crash of one that had not been is no news: of such hosts nobody knows
-- how many there are. It is news from when that is known.
-- boot_us: when the session began in which it happened; null where presence is assumed. Half an hour earlier where it may have
-- begun long before (see first_told). Of sessions only those count that were known when the crash was: one that is told at its
-- end says nothing of a crash that was told before.
-- patched_tick: when it was told that an OS patch was restarting a host that had gone dark, which is no news then; else null.
WITH ordered AS (
  SELECT
    *,
    max(placed_at) OVER (
      PARTITION BY host_id ORDER BY known_at, placed_at, crash_id ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
    ) AS earlier_at
  FROM crashes
),
first_in_a_day AS (
  SELECT * FROM ordered WHERE earlier_at IS NULL OR placed_at >= earlier_at + INTERVAL 24 HOUR
),
sat AS (
  SELECT
    first_in_a_day.crash_id, known_presence.online_from,
    CASE WHEN known_presence.gone_known <= first_in_a_day.known_at THEN known_presence.online_until END AS online_until,
    CASE WHEN lag(known_presence.gone_known) OVER of_crash <= first_in_a_day.known_at
      THEN lag(known_presence.online_until) OVER of_crash END AS left_before,
    lead(known_presence.online_from) OVER of_crash AS next_from
  FROM first_in_a_day JOIN known_presence
    ON known_presence.host_id = first_in_a_day.host_id
    AND known_presence.online_from <= first_in_a_day.known_at
    AND known_presence.since_known <= first_in_a_day.known_at
  WHERE first_in_a_day.time_quality = 'reboot' AND NOT known_presence.assumed
  WINDOW of_crash AS (PARTITION BY first_in_a_day.crash_id ORDER BY known_presence.online_from)
  QUALIFY known_presence.online_from <= first_in_a_day.placed_at AND coalesce(next_from > first_in_a_day.placed_at, true)
),
booted AS (
  SELECT
    first_in_a_day.crash_id, first_in_a_day.host_id, first_in_a_day.known_at, first_in_a_day.module, first_in_a_day.os_type,
    CASE
      WHEN sat.online_until <= placed_at THEN sat.online_until
      -- It went down from this session and is up again, but when it went is not known yet.
      WHEN sat.next_from IS NOT NULL AND sat.online_until IS NULL THEN placed_at
      WHEN sat.online_from <= placed_at - INTERVAL 30 MINUTE THEN placed_at
      ELSE coalesce(sat.left_before, sat.online_from, placed_at)
    END AS at_time
  FROM first_in_a_day LEFT JOIN sat USING (crash_id)
),
seen_before AS (
  SELECT booted.crash_id, min(sightings.known_at) AS seen_known
  FROM booted JOIN sightings
    ON sightings.host_id = booted.host_id
    AND sightings.seen_at < booted.at_time
    AND (sightings.seen_at >= booted.at_time - INTERVAL 24 HOUR OR coalesce(sightings.over_known > booted.known_at, true))
  GROUP BY booted.crash_id
),
sat_in AS (
  SELECT
    booted.crash_id,
    CAST(epoch_us(max(known_presence.online_from)) AS BIGINT)
      - CASE WHEN max(known_presence.online_from) <= (SELECT told_at FROM first_told) THEN 1800000000 ELSE 0 END AS boot_us,
    arg_max(known_presence.assumed, known_presence.online_from) AS assumed
  FROM booted JOIN known_presence
    ON known_presence.host_id = booted.host_id
    AND known_presence.online_from < booted.at_time
    AND known_presence.since_known <= booted.known_at
  GROUP BY booted.crash_id
),
happened AS (
  SELECT
    0 AS outcome, crash_id AS event_id, host_id, greatest(known_at, seen_known) AS known_at,
    CAST(epoch_us(at_time) AS BIGINT) AS at_us, module, os_type,
    CAST(NULL AS TIMESTAMPTZ) AS back_at, CAST(NULL AS TIMESTAMPTZ) AS patched_known, boot_us, assumed
  FROM booted LEFT JOIN seen_before USING (crash_id) LEFT JOIN sat_in USING (crash_id)
  WHERE seen_known IS NOT NULL OR NOT EXISTS (SELECT 1 FROM sightings) OR host_id IN (SELECT host_id FROM heard_hosts)
  UNION ALL
  SELECT 1 AS outcome, 'dark' AS event_id, host_id, gone_known, left_us, NULL, NULL, back_at, patched_known, boot_us, false
  FROM gone WHERE always_on
),
described AS (
  SELECT happened.*, host_cell.cell, host_cell."group", host_cell.site, host_cell.customer
  FROM happened
  LEFT JOIN host_cell
    ON host_cell.host_id = happened.host_id
    AND host_cell.from_us <= happened.at_us
    AND coalesce(host_cell.until_us, 9223372036854775807) > happened.at_us
)
SELECT
  CAST(row_number() OVER (ORDER BY known_at, at_us, host_id, outcome, event_id) - 1 AS INTEGER) AS event,
  outcome, event_id, host_id, module, os_type, "group", site, customer,
  CAST(coalesce(cell, -1) AS INTEGER) AS cell,
  CAST((CAST(epoch_us(known_at) AS BIGINT) + 59999999) // 60000000 AS INTEGER) AS tick,
  at_us,
  CAST(epoch_us(known_at) AS BIGINT) AS known_us,
  CAST((CAST(epoch_us(back_at) AS BIGINT) + 59999999) // 60000000 AS INTEGER) AS back_tick,
  CAST((CAST(epoch_us(patched_known) AS BIGINT) + 59999999) // 60000000 AS INTEGER) AS patched_tick,
  CASE WHEN NOT assumed THEN boot_us END AS boot_us,
  CASE
    WHEN at_us < boot_us + 600000000 THEN 0
    WHEN at_us < boot_us + 1800000000 THEN 1
    WHEN at_us < boot_us + 43200000000 OR boot_us IS NULL THEN 2
    ELSE 3
  END AS since_boot
FROM described
ORDER BY event
