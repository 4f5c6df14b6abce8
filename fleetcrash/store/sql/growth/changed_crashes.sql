-- Crashes of which a report became known between two looks, one row per crash_id.
-- $before: the instant of the earlier look. added_crash: rows of the files that came since; lake_crash: of all files.
SELECT crash_id FROM added_crash WHERE known_at <= getvariable('as_of')
UNION
SELECT crash_id FROM lake_crash WHERE known_at > CAST($before AS TIMESTAMPTZ) AND known_at <= getvariable('as_of')
