-- One crash of each shape that has no signature yet, with all that the rules read.
-- Reads the kept tables shaped_crashes and signed_shapes.
WITH unsigned AS (
  SELECT shape, min(crash_id) AS crash_id FROM shaped_crashes
  WHERE shape NOT IN (SELECT shape FROM signed_shapes)
  GROUP BY shape
)
SELECT
  unsigned.shape, crashes.os_type, crashes.domain, crashes.code, crashes.module, crashes.module_version,
  crashes.module_offset, crashes.frames[:128] AS frames
FROM crashes JOIN unsigned ON unsigned.crash_id = crashes.crash_id
