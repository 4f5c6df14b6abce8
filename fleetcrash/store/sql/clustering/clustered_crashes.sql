-- Crashes known as of the instant with their cluster and signature, one row per crash.
-- Reads the kept tables shaped_crashes and signed_shapes.
SELECT shaped_crashes.* EXCLUDE (shape), signed_shapes.cluster_id, signed_shapes.signature
FROM shaped_crashes JOIN signed_shapes ON signed_shapes.shape = shaped_crashes.shape
