-- Crashes known as of the instant, one row per crash, with what the host said of itself.
-- host: a number for host_id, to count and join by; two hosts of one number, a chance of 3e-6 among ten million, count as one.
-- shape: a number for all that the signature rules read of it; signed_shapes has its cluster. at_next_boot: it was noticed
-- only then.
-- The rules read 128 frames (signature.MAX_FRAMES), and a frame's offset only where it has no function (Shape.of).
-- Two shapes with one number would share a signature: among a million shapes, a chance of 3e-8.
SELECT
  crash_id, host_id, hash(host_id) AS host, placed_at, os_type, os_build, agent_version, domain, code, module,
  coalesce(time_quality = 'reboot', false) AS at_next_boot,
  hash(
    os_type, domain, code, module, module_version, module_offset,
    CASE WHEN domain <> 'kernel' THEN coalesce(tags['exe'], tags['process'], tags['comm']) END,
    list_transform(
      frames[:128],
      lambda frame: hash(
        frame.module, frame.function,
        CASE WHEN coalesce(frame.function, '') IN ('', '?', '??', '???') THEN frame.offset END
      )
    )
  ) AS shape
FROM crashes
