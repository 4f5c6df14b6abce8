-- How updates spread, one row per update that was ever installed. $update_id: one alone; null is every one.
-- hosts_installed: hosts that ever installed it, removed and replaced or not.
SELECT update_id, count(DISTINCT host_id) AS hosts_installed, max(placed_at) AS last_installed_at
FROM installs
WHERE action = 'installed' AND (CAST($update_id AS VARCHAR) IS NULL OR update_id = $update_id)
GROUP BY update_id ORDER BY update_id
