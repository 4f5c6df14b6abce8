-- Crashes of each variant and operating system within the viewer's window and filters, one row per cluster, signature and
-- OS, most crashes first. A shape is of one OS. Reads the kept tables selected_crashes, shapes_seen and signed_shapes.
WITH counted AS (SELECT shape, count(*) AS crashes FROM selected_crashes GROUP BY shape)
SELECT cluster_id, signature, shapes_seen.os_type, CAST(sum(counted.crashes) AS BIGINT) AS crashes
FROM counted JOIN shapes_seen USING (shape) JOIN signed_shapes USING (shape)
GROUP BY cluster_id, signature, shapes_seen.os_type
ORDER BY cluster_id, crashes DESC, signature, os_type
