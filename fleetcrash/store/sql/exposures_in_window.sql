-- Exposure of hosts to updates that tells of a window, one row per install, as known_exposures has it: what reaches into the
-- window, and what the crashes in it are judged by that were noticed at a boot, some time after a session before it.
-- host: as in online_stretches. $since, $until: half-open, UTC. Reads the kept tables known_exposures and placed_crashes.
SELECT hash(host_id) AS host, update_id, exposed_from, exposed_until FROM known_exposures
WHERE exposed_until > CAST($since AS TIMESTAMPTZ) AND exposed_from < CAST($until AS TIMESTAMPTZ)
UNION ALL
SELECT
  hash(known_exposures.host_id), known_exposures.update_id, known_exposures.exposed_from, known_exposures.exposed_until
FROM known_exposures SEMI JOIN (
  SELECT host_id, exposed_at FROM placed_crashes
  WHERE placed_at >= CAST($since AS TIMESTAMPTZ) AND placed_at < CAST($until AS TIMESTAMPTZ)
    AND exposed_at < CAST($since AS TIMESTAMPTZ)
) AS judged
  ON judged.host_id = known_exposures.host_id
  AND known_exposures.exposed_from <= judged.exposed_at AND known_exposures.exposed_until > judged.exposed_at
WHERE known_exposures.exposed_until <= CAST($since AS TIMESTAMPTZ)
