-- Exposure of hosts to updates, one row per install, half-open [exposed_from, exposed_until), 'infinity' while it lasts.
SELECT host_id, update_id, exposed_from, coalesce(exposed_until, 'infinity') AS exposed_until FROM exposures
