-- Updates of which a row of the catalogue, or the withdrawal, became known between two looks, one row per update_id.
-- $before: the instant of the earlier look. added_update: rows of the files that came since; lake_update: of all files.
SELECT update_id FROM added_update WHERE known_at <= getvariable('as_of')
UNION
SELECT update_id FROM lake_update
WHERE known_at <= getvariable('as_of')
  AND (known_at > CAST($before AS TIMESTAMPTZ)
    OR (reverted_at > CAST($before AS TIMESTAMPTZ) AND reverted_at <= getvariable('as_of')))
