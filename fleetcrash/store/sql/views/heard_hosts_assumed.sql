-- Hosts whose presence is told, or would be, one row each: a host of their system tells its own.
WITH telling AS (
  SELECT host_id FROM lake_session WHERE known_at <= getvariable('as_of')
  UNION
  SELECT host_id FROM lake_heartbeat WHERE known_at <= getvariable('as_of')
)
SELECT host_id FROM telling
UNION
SELECT host_id FROM hosts
WHERE os_type IN (SELECT os_type FROM hosts SEMI JOIN telling USING (host_id))
