-- Crashes of each variant and operating system within the viewer's window and filters, one row per cluster, signature and
-- OS, most crashes first. Reads the kept tables selected_crashes and signed_shapes.
SELECT cluster_id, signature, os_type, count(*) AS crashes
FROM selected_crashes JOIN signed_shapes USING (shape)
GROUP BY cluster_id, signature, os_type
ORDER BY cluster_id, crashes DESC, signature, os_type
