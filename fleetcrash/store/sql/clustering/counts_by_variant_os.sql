-- Crashes of each variant and operating system, one row per cluster, signature and OS, most crashes first.
-- $cluster_id: one cluster alone; null is every one. Reads the kept tables shapes_seen and signed_shapes.
SELECT cluster_id, signature, os_type, CAST(sum(crashes) AS BIGINT) AS crashes
FROM shapes_seen JOIN signed_shapes USING (shape)
WHERE $cluster_id IS NULL OR cluster_id = $cluster_id
GROUP BY cluster_id, signature, os_type
ORDER BY cluster_id, crashes DESC, signature, os_type
