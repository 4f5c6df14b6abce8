-- Crashes that say a text in the code, the module or the tags (as {key=value}), upper and lower case alike, one row per crash.
-- $text: what they say; without one there is no row.
SELECT crash_id FROM crashes
WHERE coalesce(CAST($text AS VARCHAR), '') <> ''
  AND contains(lower(concat_ws(' ', code, module, CAST(tags AS VARCHAR))), lower(CAST($text AS VARCHAR)))
