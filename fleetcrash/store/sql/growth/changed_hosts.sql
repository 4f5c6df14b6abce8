-- Hosts of which anything became known between two looks, one row per host; maybe more of them, never fewer.
-- $before: the instant of the earlier look. added_*: rows of the files that came since; lake_*: of all files.
-- Of a crash that was reported again, the hosts of all its reports: another of them may count now. Of an update of which
-- something new is known, the hosts that were ever said to have it. Time alone tells that a session ended (ten minutes
-- later) and that a host beats no more (750 seconds after its last beat).
-- Reads the tables reported (all reports of the crashes that changed) and changed_updates.
SELECT host_id FROM reported WHERE known_at <= getvariable('as_of')
UNION
SELECT host_id FROM lake_install SEMI JOIN changed_updates USING (update_id) WHERE known_at <= getvariable('as_of')
UNION
SELECT host_id FROM (
  SELECT host_id, known_at FROM added_install
  UNION ALL SELECT host_id, known_at FROM added_host
  UNION ALL SELECT host_id, known_at FROM added_heartbeat
  UNION ALL SELECT host_id, known_at FROM added_session
) AS added
WHERE known_at <= getvariable('as_of')
UNION
SELECT host_id FROM (
  SELECT host_id, known_at FROM lake_install
  UNION ALL SELECT host_id, known_at FROM lake_host
  UNION ALL SELECT host_id, known_at FROM lake_heartbeat
  UNION ALL SELECT host_id, known_at FROM lake_session
) AS reached
WHERE known_at > CAST($before AS TIMESTAMPTZ) AND known_at <= getvariable('as_of')
UNION
SELECT host_id FROM lake_session
WHERE known_at <= getvariable('as_of')
  AND online_until > CAST($before AS TIMESTAMPTZ) - INTERVAL 10 MINUTE
  AND online_until <= getvariable('as_of') - INTERVAL 10 MINUTE
UNION
SELECT host_id FROM lake_heartbeat
WHERE known_at <= getvariable('as_of')
  AND (
    ("at" > CAST($before AS TIMESTAMPTZ) - INTERVAL 750 SECOND AND "at" <= getvariable('as_of') - INTERVAL 750 SECOND)
    OR (known_at > CAST($before AS TIMESTAMPTZ) - INTERVAL 750 SECOND
      AND known_at <= getvariable('as_of') - INTERVAL 750 SECOND)
  )
