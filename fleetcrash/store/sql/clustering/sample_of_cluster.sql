-- The earliest crash of the variant with most crashes, one row. $cluster_id. Reads the kept table clustered_crashes.
WITH largest AS (
  SELECT signature FROM clustered_crashes WHERE cluster_id = $cluster_id
  GROUP BY signature ORDER BY count(*) DESC, signature LIMIT 1
)
SELECT crash_id FROM clustered_crashes
WHERE cluster_id = $cluster_id AND signature = (SELECT signature FROM largest)
ORDER BY placed_at, crash_id LIMIT 1
