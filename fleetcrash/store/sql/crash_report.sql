-- A crash report as it was accepted, in one row, with where it came from. $crash_id: the crash.
-- Of two reports under one name the one that counts, by the rule of the view crashes; that view looks at every crash.
WITH report AS (
  SELECT *, least(occurred_at, known_at) AS placed_at
  FROM lake_crash AS told
  WHERE crash_id = $crash_id AND known_at <= getvariable('as_of')
  ORDER BY known_at, CAST(to_json(told) AS VARCHAR) LIMIT 1
)
SELECT report.*, (SELECT max(source) FROM lake_batch WHERE lake_batch.batch_id = report.batch_id) AS source
FROM report
