-- Updates that a host had, one row per install, newest first: half-open [exposed_from, exposed_until), null while it has it.
-- $host_id: the host. Reads the kept table known_exposures.
SELECT
  exposed.update_id, updates.kind, updates.channel, updates.version, updates.released_at, updates.reverted_at,
  exposed.exposed_from, nullif(exposed.exposed_until, CAST('infinity' AS TIMESTAMPTZ)) AS exposed_until
FROM known_exposures AS exposed LEFT JOIN updates ON updates.update_id = exposed.update_id
WHERE exposed.host_id = $host_id
ORDER BY exposed.exposed_from DESC, exposed.update_id
