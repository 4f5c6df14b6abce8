-- The release catalogue known as of the instant, one row per update: the newest known.
-- known_at: when the update was first heard of; a later row, such as of its withdrawal, makes it known no later.
-- A withdrawal is known from the later of itself and its record.
SELECT
  update_id, kind, channel, version, released_at,
  min(known_at) OVER (PARTITION BY update_id) AS known_at,
  CASE WHEN reverted_at <= getvariable('as_of') THEN reverted_at END AS reverted_at
FROM lake_update AS row_of_update
WHERE known_at <= getvariable('as_of')
QUALIFY row_number() OVER (PARTITION BY update_id ORDER BY known_at DESC, CAST(to_json(row_of_update) AS VARCHAR)) = 1
