-- Hosts and host-hours online while exposed, one row per update to which a host was exposed.
-- Window and filters are those of the kept table selected_time; it reads exposures_in_window as well. Kept, because which
-- crashes are asked for changes nothing of it.
WITH overlapped AS (
  SELECT
    exposed.update_id, exposed.host,
    epoch(least(selected_time.online_until, exposed.exposed_until))
      - epoch(greatest(selected_time.online_from, exposed.exposed_from)) AS host_s
  FROM selected_time JOIN exposures_in_window AS exposed
    ON exposed.host = selected_time.host
    AND exposed.exposed_from < selected_time.online_until AND exposed.exposed_until > selected_time.online_from
)
SELECT update_id, count(DISTINCT host) AS hosts_exposed, sum(host_s) / 3600.0 AS host_hours
FROM overlapped GROUP BY update_id
