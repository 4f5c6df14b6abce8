-- The newest findings of the monitor, at most one row: the instant it judged, when it did by our clock, its document as JSON.
-- Of two of one instant the later stands: it knew of records that came late.
SELECT as_of, ticked_at, document FROM lake_incident
ORDER BY as_of DESC, ticked_at DESC NULLS LAST
LIMIT 1
