-- What is put aside, one row per reason, most records first: records, sources that they came by, when the last came.
SELECT reason, count(*) AS records, count(DISTINCT source) AS sources, max(known_at) AS last_at
FROM lake_quarantine WHERE replayed_by IS NULL
GROUP BY reason ORDER BY records DESC, reason
