-- What a cluster's crashes share and how it is called, one row per cluster.
-- Reads the kept tables clustered_crashes and signed_shapes.
SELECT DISTINCT cluster_id, family, title FROM signed_shapes
WHERE cluster_id IN (SELECT cluster_id FROM clustered_crashes)
ORDER BY cluster_id
