-- Crashes known as of the instant, one row per crash_id: of two reports the earlier known, then the lesser by its JSON.
-- placed_at: where the analysis puts the crash; a host's clock may be ahead of ours.
SELECT *, least(occurred_at, known_at) AS placed_at
FROM lake_crash AS report
WHERE known_at <= getvariable('as_of')
QUALIFY row_number() OVER (PARTITION BY crash_id ORDER BY known_at, CAST(to_json(report) AS VARCHAR)) = 1
