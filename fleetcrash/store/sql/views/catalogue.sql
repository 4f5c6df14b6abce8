-- What the catalogue said of updates, and when, known as of the instant: one row per update and change of what it said, but
-- for withdrawals. Half-open [known_at, until_known), in which the row was the newest; until_known is null for the last.
-- is_first: of the first row of an update; is_new_slot: it tells another kind or channel than the one before.
WITH said AS (
  SELECT update_id, kind, channel, version, released_at, known_at
  FROM lake_update AS row_of_update
  WHERE known_at <= getvariable('as_of')
  QUALIFY row_number() OVER (PARTITION BY update_id, known_at ORDER BY CAST(to_json(row_of_update) AS VARCHAR)) = 1
),
followed AS (
  SELECT
    *, hash(kind, channel, version, released_at) AS print,
    lag(print) OVER (PARTITION BY update_id ORDER BY known_at) AS print_before
  FROM said
)
SELECT
  update_id, kind, channel, version, released_at, known_at,
  lead(known_at) OVER of_update AS until_known,
  lag(known_at) OVER of_update IS NULL AS is_first,
  hash(kind, channel) IS DISTINCT FROM lag(hash(kind, channel)) OVER of_update AS is_new_slot
FROM followed
WHERE print IS DISTINCT FROM print_before
WINDOW of_update AS (PARTITION BY update_id ORDER BY known_at)
