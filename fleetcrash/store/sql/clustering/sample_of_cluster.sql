-- The earliest crash of the variant with most crashes, one row. $cluster_id. Reads the kept tables
-- shaped_crashes, shapes_seen and signed_shapes.
WITH of_cluster AS (
  SELECT shape, signature, crashes, first_seen FROM shapes_seen JOIN signed_shapes USING (shape)
  WHERE cluster_id = $cluster_id
),
largest AS (SELECT signature FROM of_cluster GROUP BY signature ORDER BY sum(crashes) DESC, signature LIMIT 1),
earliest AS (
  SELECT shape, first_seen FROM of_cluster WHERE signature = (SELECT signature FROM largest)
)
SELECT crash_id FROM shaped_crashes JOIN earliest
  ON earliest.shape = shaped_crashes.shape AND earliest.first_seen = shaped_crashes.placed_at
ORDER BY placed_at, crash_id LIMIT 1
