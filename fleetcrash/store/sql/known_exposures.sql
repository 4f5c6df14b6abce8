-- Exposure of hosts to updates, one row per install, half-open [exposed_from, exposed_until), 'infinity' while it lasts.
SELECT
  exposures.host_id, exposures.update_id, updates.channel,
  exposures.exposed_from, coalesce(exposures.exposed_until, 'infinity') AS exposed_until
FROM exposures LEFT JOIN updates ON updates.update_id = exposures.update_id
