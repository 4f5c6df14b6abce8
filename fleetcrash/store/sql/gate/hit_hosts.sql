-- Hosts that crashed or went dark within a day after they got the update, and while they had it, one row per host: the first
-- time; to be kept as gate_hits. crashed: whether it ever was a crash. bucket: the quarter of an hour of the hit.
-- restarted: as of gate_events. shared: the host had another update as well that is named, as of gate_exposed.
-- Reads the kept tables gate_exposed, gate_events and cells.
WITH hit AS (
  SELECT
    exposed.host_id, exposed.ring, exposed.region, exposed.os_type, exposed.place, exposed.weight, exposed.installed_us,
    events.at_us, events.since_boot, events.outcome, events.restarted, coalesce(cells.always_on, false) AS always_on,
    coalesce(events.at_us >= exposed.shared_us, false) AS shared,
    min(events.outcome) OVER (PARTITION BY exposed.host_id) = 0 AS crashed
  FROM gate_exposed AS exposed
  JOIN gate_events AS events ON events.host_id = exposed.host_id
  LEFT JOIN cells ON cells.cell = events.cell
  WHERE events.at_us >= exposed.installed_us
    AND events.at_us < least(exposed.installed_us + 86400000000, coalesce(exposed.ended_us, 9223372036854775807))
  QUALIFY row_number() OVER (PARTITION BY exposed.host_id ORDER BY events.at_us, events.outcome, events.event) = 1
)
SELECT *, at_us // 900000000 AS bucket FROM hit
