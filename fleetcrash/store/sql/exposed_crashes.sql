-- Crashes in the window of hosts that were exposed, one row per crash and update that its host was exposed to: once each, as a
-- later install of an update ends the exposure by an earlier one.
-- $since, $until: half-open, UTC. place: where the rest of the crash stands in placed_crashes. host, shape, kind: as there.
-- update_number: as in exposed_updates. Kept for all filters, as exposed_time is.
-- Reads the kept tables placed_crashes and exposures_in_window.
SELECT
  hash(exposed.update_id) AS update_number,
  crashed.rowid AS place, crashed.host, crashed.placed_at, crashed.exposed_at, crashed.kind, crashed.shape
FROM placed_crashes AS crashed JOIN exposures_in_window AS exposed
  ON exposed.host = crashed.host
  AND exposed.exposed_from <= crashed.exposed_at AND exposed.exposed_until > crashed.exposed_at
WHERE crashed.placed_at >= CAST($since AS TIMESTAMPTZ) AND crashed.placed_at < CAST($until AS TIMESTAMPTZ)
