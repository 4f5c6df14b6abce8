-- When it was first told that each host has an update, one row per host.
-- $update_id: the update.
SELECT host_id, min(known_at) AS known_at FROM installs
WHERE update_id = $update_id AND action = 'installed'
GROUP BY host_id ORDER BY host_id
