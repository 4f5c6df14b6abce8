-- Updates that a host had, one row per install, newest first: half-open [exposed_from, exposed_until), null while it has it.
-- $host_id: the host.
SELECT
  exposures.update_id, updates.kind, updates.channel, updates.version, updates.released_at, updates.reverted_at,
  exposures.exposed_from, exposures.exposed_until
FROM exposures LEFT JOIN updates ON updates.update_id = exposures.update_id
WHERE exposures.host_id = $host_id
ORDER BY exposures.exposed_from DESC, exposures.update_id
