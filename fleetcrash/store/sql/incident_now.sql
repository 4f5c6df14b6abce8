-- The newest tick of the monitor, at most one row: the instant it judged, when it ticked by our clock, its document as JSON.
SELECT as_of, ticked_at, document FROM lake_incident
ORDER BY ticked_at DESC NULLS LAST, as_of DESC
LIMIT 1
