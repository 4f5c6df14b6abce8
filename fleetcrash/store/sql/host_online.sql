-- Stretches online of a host, one row per stretch, half-open [online_from, online_until), oldest first. online_until: null while
-- it counts as online. assumed: no presence is known of the fleet, or of the host's system, and it counts as online for a day after it was seen.
-- $host_id: the host.
SELECT online_from, online_until, assumed FROM presence WHERE host_id = $host_id
ORDER BY online_from
