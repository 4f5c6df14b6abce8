-- One crash of each shape that has no signature yet, with all that the rules read.
-- $signed: the shapes that have one. Reads the kept table shaped_crashes.
-- Of two reports under one name the one that counts, by the rule of the view crashes; that view looks at every crash.
WITH unsigned AS (
  SELECT shape, min(crash_id) AS crash_id FROM shaped_crashes
  WHERE shape NOT IN (SELECT unnest(CAST($signed AS UBIGINT[])))
  GROUP BY shape
),
reported AS (
  SELECT unsigned.shape, told AS report, count(*) OVER (PARTITION BY told.crash_id) AS reports
  FROM lake_crash AS told JOIN unsigned ON unsigned.crash_id = told.crash_id
  WHERE told.known_at <= getvariable('as_of')
)
SELECT
  shape, report.os_type, report.domain, report.code, report.module, report.module_version, report.module_offset,
  report.frames[:128] AS frames,
  CASE WHEN report.domain <> 'kernel' THEN coalesce(report.tags['exe'], report.tags['process'], report.tags['comm']) END AS program
FROM reported
QUALIFY row_number() OVER (
  PARTITION BY shape ORDER BY report.known_at, CASE WHEN reports > 1 THEN CAST(to_json(report) AS VARCHAR) END
) = 1
