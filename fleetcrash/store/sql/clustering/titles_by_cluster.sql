-- What a cluster's crashes share and how it is called, one row per cluster.
-- Reads the kept tables shapes_seen and signed_shapes.
SELECT DISTINCT cluster_id, family, title FROM signed_shapes
WHERE shape IN (SELECT shape FROM shapes_seen)
ORDER BY cluster_id
