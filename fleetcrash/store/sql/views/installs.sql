-- Installs and removals known as of the instant, one row per host, update, applied_at and action.
SELECT
  host_id, update_id, applied_at, action,
  min(known_at) AS known_at,
  least(applied_at, min(known_at)) AS placed_at
FROM lake_install
WHERE known_at <= getvariable('as_of')
GROUP BY host_id, update_id, applied_at, action
