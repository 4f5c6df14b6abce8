-- Crashes of the hosts that an update has reached, a day before or after it did, one row per crash.
-- $update_id: the update. Reads the kept table known_history.
WITH reached AS (
  SELECT host_id, min(exposed_from) AS installed_at
  FROM known_history
  WHERE update_id = $update_id AND superseded_known IS NULL AND exposed_from < coalesce(exposed_until, 'infinity')
  GROUP BY host_id
)
SELECT crashes.host_id, crashes.placed_at AS crashed_at
FROM crashes JOIN reached ON reached.host_id = crashes.host_id
WHERE crashes.placed_at BETWEEN installed_at - INTERVAL 1 DAY AND installed_at + INTERVAL 1 DAY
ORDER BY crashes.host_id, crashes.placed_at
