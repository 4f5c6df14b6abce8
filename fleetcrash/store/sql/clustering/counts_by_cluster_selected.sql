-- Crashes and hosts of each cluster within the viewer's window and filters, one row per cluster, most hosts first, then
-- by id. Reads the kept tables clustered_crashes and selected_crashes.
SELECT
  clustered_crashes.cluster_id,
  count(*) AS crashes,
  count(DISTINCT clustered_crashes.host_id) AS hosts,
  max(clustered_crashes.placed_at) AS last_seen
FROM clustered_crashes JOIN selected_crashes ON selected_crashes.crash_id = clustered_crashes.crash_id
GROUP BY clustered_crashes.cluster_id
ORDER BY hosts DESC, cluster_id
