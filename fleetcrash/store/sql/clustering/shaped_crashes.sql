-- Crashes known as of the instant, one row per crash. shape: a number for all that the signature rules read of it.
-- The rules read 128 frames (signature.MAX_FRAMES), and a frame's offset only where it has no function (Shape.of).
-- Two shapes with one number would share a signature: among a million shapes, a chance of 3e-8.
SELECT
  crash_id, host_id, placed_at, os_type,
  hash(
    os_type, domain, code, module, module_version, module_offset,
    list_transform(
      frames[:128],
      lambda frame: hash(
        frame.module, frame.function,
        CASE WHEN coalesce(frame.function, '') IN ('', '?', '??', '???') THEN frame.offset END
      )
    )
  ) AS shape
FROM crashes
