-- The newest findings of the monitor, at most one row: the instant it judged, when it did by our clock, its document as JSON.
-- Of two of one instant the later stands: it knew of records that came late. Findings of a time that the newest record of
-- the lake ($newest, null without records) is far from rest on a record that is gone: of a clock ahead, and forgotten since.
SELECT as_of, ticked_at, document FROM lake_incident
WHERE as_of <= coalesce(CAST($newest AS TIMESTAMPTZ) + INTERVAL 10 MINUTE, 'infinity')
ORDER BY as_of DESC, ticked_at DESC NULLS LAST
LIMIT 1
