-- Crashes known as of the instant, one row per crash_id: of two reports the earlier known, then the lesser by its JSON.
-- placed_at: where the analysis puts the crash; a host's clock may be ahead of ours.
-- Only crashes that were reported more than once are put into order: JSON of every row takes ten times as long as all else.
WITH known AS NOT MATERIALIZED (
  SELECT * FROM lake_crash WHERE known_at <= getvariable('as_of')
),
repeated AS MATERIALIZED (
  SELECT crash_id FROM known GROUP BY crash_id HAVING count(*) > 1
)
SELECT *, least(occurred_at, known_at) AS placed_at
FROM known AS report
WHERE NOT EXISTS (SELECT 1 FROM repeated WHERE repeated.crash_id = report.crash_id)
UNION ALL
SELECT *, least(occurred_at, known_at) AS placed_at
FROM known AS report
WHERE EXISTS (SELECT 1 FROM repeated WHERE repeated.crash_id = report.crash_id)
QUALIFY row_number() OVER (PARTITION BY crash_id ORDER BY known_at, CAST(to_json(report) AS VARCHAR)) = 1
