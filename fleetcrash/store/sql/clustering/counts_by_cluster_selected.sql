-- Crashes and hosts of each cluster within the viewer's window and filters, one row per cluster, most hosts first, then
-- by id. Reads the kept tables selected_crashes and signed_shapes.
SELECT cluster_id, count(*) AS crashes, count(DISTINCT host) AS hosts, max(placed_at) AS last_seen
FROM selected_crashes JOIN signed_shapes USING (shape)
GROUP BY cluster_id
ORDER BY hosts DESC, cluster_id
