-- Crashes and hosts of each cluster, of all that is known, one row per cluster, most hosts first, then by id.
-- $cluster_id: one cluster alone; null is every one. When they were seen: seen_by_cluster.
-- Reads the kept tables shaped_crashes, shapes_seen and signed_shapes.
WITH asked AS (
  SELECT shape, cluster_id FROM signed_shapes WHERE $cluster_id IS NULL OR cluster_id = $cluster_id
),
seen AS (
  SELECT cluster_id, CAST(sum(crashes) AS BIGINT) AS crashes, max(last_seen) AS last_seen
  FROM shapes_seen JOIN asked USING (shape) GROUP BY cluster_id
),
hit AS (
  SELECT cluster_id, count(DISTINCT host) AS hosts FROM shaped_crashes JOIN asked USING (shape) GROUP BY cluster_id
)
SELECT cluster_id, seen.crashes, hit.hosts, seen.last_seen FROM seen JOIN hit USING (cluster_id)
ORDER BY hosts DESC, cluster_id
