-- Crashes (outcome 0) and silences (1) of hosts without the update, one row per ring, OS, always on, time since boot and outcome,
-- in the stretches that baseline_time counts; its parameters.
-- The OS is the inventory's, as there: a crash that alone tells it would be counted without its host's time.
-- Crashes again are left out; crashes_again tells of them.
-- Reads the kept tables gate_exposed, gate_events and cells.
WITH disturbed AS (
  SELECT
    unnest(CAST($disturbed_from_us AS BIGINT[])) AS from_us, unnest(CAST($disturbed_until_us AS BIGINT[])) AS until_us
)
SELECT
  hosts.ring, cells.os_type, coalesce(cells.always_on, false) AS always_on, events.since_boot, events.outcome,
  count(*) AS events
FROM gate_events AS events
LEFT JOIN gate_exposed AS exposed ON exposed.host_id = events.host_id
LEFT JOIN cells ON cells.cell = events.cell
LEFT JOIN hosts ON hosts.host_id = events.host_id
WHERE NOT events.again
  AND events.at_us < coalesce(exposed.first_us, 9223372036854775807)
  AND events.at_us < CAST(epoch_us(CAST(getvariable('as_of') AS TIMESTAMPTZ)) AS BIGINT) - CAST($lag_us AS BIGINT)
  AND events.at_us >= CAST(epoch_us(CAST(getvariable('as_of') AS TIMESTAMPTZ)) AS BIGINT) - CAST($history_us AS BIGINT)
  AND NOT EXISTS (SELECT 1 FROM disturbed WHERE events.at_us >= disturbed.from_us AND events.at_us < disturbed.until_us)
GROUP BY hosts.ring, cells.os_type, coalesce(cells.always_on, false), events.since_boot, events.outcome
ORDER BY hosts.ring, os_type, always_on, since_boot, outcome
