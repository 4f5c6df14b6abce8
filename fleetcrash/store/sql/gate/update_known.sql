-- What is known of an update, one row; none where neither the catalogue nor an install names it.
-- $update_id: the update. told_us: when anything at all was last told of the fleet. crash_told: whether
-- any crash of any host ever was. hosts: that the inventory has.
SELECT
  any_value(updates.kind) AS kind,
  CAST(epoch_us(any_value(updates.released_at)) AS BIGINT) AS released_us,
  CAST(epoch_us(any_value(updates.reverted_at)) AS BIGINT) AS reverted_us,
  (
    SELECT CAST(epoch_us(max(known_at)) AS BIGINT) FROM (
      SELECT max(known_at) AS known_at FROM lake_heartbeat WHERE known_at <= getvariable('as_of')
      UNION ALL SELECT max(known_at) FROM lake_session WHERE known_at <= getvariable('as_of')
      UNION ALL SELECT max(known_at) FROM lake_install WHERE known_at <= getvariable('as_of')
      UNION ALL SELECT max(known_at) FROM lake_crash WHERE known_at <= getvariable('as_of')
      UNION ALL SELECT max(known_at) FROM lake_host WHERE known_at <= getvariable('as_of')
    ) AS told
  ) AS told_us,
  EXISTS (SELECT 1 FROM lake_crash WHERE known_at <= getvariable('as_of')) AS crash_told,
  (SELECT count(*) FROM hosts) AS hosts
FROM (
  SELECT $update_id AS update_id
  WHERE EXISTS (SELECT 1 FROM updates WHERE update_id = $update_id)
    OR EXISTS (SELECT 1 FROM installs WHERE update_id = $update_id)
) AS asked
LEFT JOIN updates ON updates.update_id = asked.update_id
HAVING count(*) > 0
