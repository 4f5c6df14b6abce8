-- Crashes of each variant and operating system within the viewer's window and filters, one row per cluster, signature and
-- OS, most crashes first. Reads the kept tables clustered_crashes and selected_crashes.
SELECT clustered_crashes.cluster_id, clustered_crashes.signature, clustered_crashes.os_type, count(*) AS crashes
FROM clustered_crashes JOIN selected_crashes ON selected_crashes.crash_id = clustered_crashes.crash_id
GROUP BY clustered_crashes.cluster_id, clustered_crashes.signature, clustered_crashes.os_type
ORDER BY clustered_crashes.cluster_id, crashes DESC, clustered_crashes.signature, clustered_crashes.os_type
