-- Hosts exposed to an update at the instant, one row per host.
-- $update_id: the update.
SELECT DISTINCT host_id FROM exposures
WHERE update_id = $update_id
  AND exposed_from <= CAST(getvariable('as_of') AS TIMESTAMPTZ)
  AND coalesce(exposed_until, 'infinity') > CAST(getvariable('as_of') AS TIMESTAMPTZ)
