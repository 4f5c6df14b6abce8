-- One crash of each shape that has no signature yet, with all that the rules read.
-- $signed: the shapes that have one. Reads the kept table shaped_crashes.
WITH unsigned AS (
  SELECT shape, min(crash_id) AS crash_id FROM shaped_crashes
  WHERE shape NOT IN (SELECT unnest(CAST($signed AS UBIGINT[])))
  GROUP BY shape
)
SELECT
  unsigned.shape, crashes.os_type, crashes.domain, crashes.code, crashes.module, crashes.module_version,
  crashes.module_offset, crashes.frames[:128] AS frames
FROM crashes JOIN unsigned ON unsigned.crash_id = crashes.crash_id
