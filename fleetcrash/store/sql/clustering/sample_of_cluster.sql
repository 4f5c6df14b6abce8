-- The earliest crash of the variant with most crashes, one row. $cluster_id. Reads the kept tables
-- shaped_crashes and signed_shapes.
WITH largest AS (
  SELECT signature FROM shaped_crashes JOIN signed_shapes USING (shape) WHERE cluster_id = $cluster_id
  GROUP BY signature ORDER BY count(*) DESC, signature LIMIT 1
)
SELECT crash_id FROM shaped_crashes JOIN signed_shapes USING (shape)
WHERE cluster_id = $cluster_id AND signature = (SELECT signature FROM largest)
ORDER BY placed_at, crash_id LIMIT 1
