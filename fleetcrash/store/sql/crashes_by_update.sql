-- Crashes and hosts that crashed while exposed, one row per update to which a crashed host was exposed.
-- Window and filters are those of the kept table selected_crashes; it reads exposures_in_window as well.
SELECT
  exposed.update_id,
  count(*) AS crashes,  -- once each: a later install of an update ends the exposure by an earlier one
  count(DISTINCT selected_crashes.host) AS hosts_crashed
FROM selected_crashes JOIN exposures_in_window AS exposed
  ON exposed.host = selected_crashes.host
  AND exposed.exposed_from <= selected_crashes.exposed_at AND exposed.exposed_until > selected_crashes.exposed_at
GROUP BY exposed.update_id
