-- Hosts that crashed or went dark within a day after they got the update, and while they had it, one row per host: the first
-- time; to be kept as gate_hits. crashed: whether it ever was a crash. bucket: the quarter of an hour of the hit.
-- restarted: as of gate_events. shared: the host had another update as well that is named, as of gate_exposed.
-- $update_id: the update. since_crash: since a crash of the host before the install, 0 none in a day, 1 within an hour, 2 within a day, 3 of several;
-- relapsed: it had crashed in the day before the install.
-- overtaken: it had, and got another update between the install and the hit, which is as likely to have crashed it again.
-- Reads the kept tables known_history, gate_exposed, gate_events, gate_lately and cells.
WITH hit AS (
  SELECT
    exposed.host_id, exposed.ring, exposed.region, exposed.os_type, exposed.place, exposed.weight, exposed.installed_us,
    events.at_us, events.since_boot, events.outcome, events.restarted, coalesce(cells.always_on, false) AS always_on,
    coalesce(events.at_us >= exposed.shared_us, false) AS shared,
    min(events.outcome) OVER (PARTITION BY exposed.host_id) = 0 AS crashed,
    lately.host_id IS NOT NULL AS relapsed,
    CASE
      WHEN lately.last_us IS NULL OR events.at_us >= lately.last_us + 86400000000 THEN 0
      WHEN events.at_us < lately.before_us + 86400000000 THEN 3
      WHEN events.at_us < lately.last_us + 3600000000 THEN 1
      ELSE 2
    END AS since_crash
  FROM gate_exposed AS exposed
  JOIN gate_events AS events ON events.host_id = exposed.host_id
  LEFT JOIN gate_lately AS lately ON lately.host_id = exposed.host_id
  LEFT JOIN cells ON cells.cell = events.cell
  WHERE events.at_us >= exposed.installed_us
    AND events.at_us < least(exposed.installed_us + 86400000000, coalesce(exposed.ended_us, 9223372036854775807))
  QUALIFY row_number() OVER (PARTITION BY exposed.host_id ORDER BY events.at_us, events.outcome, events.event) = 1
)
SELECT
  *, at_us // 900000000 AS bucket,
  relapsed AND EXISTS (
    SELECT 1 FROM known_history AS history
    WHERE history.host_id = hit.host_id AND history.update_id <> $update_id AND history.superseded_known IS NULL
      AND history.exposed_from > make_timestamptz(hit.installed_us) AND history.exposed_from <= make_timestamptz(hit.at_us)
  ) AS overtaken
FROM hit
