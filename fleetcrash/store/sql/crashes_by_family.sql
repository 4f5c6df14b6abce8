-- Crashes and hosts, one row per group of like crashes (OS, code, module), most hosts first.
-- $most: rows at most. Window and filters are those of the kept table selected_crashes, which it reads beside placed_crashes.
-- first_seen is of all that is known, not of the window alone; last_seen is the last in the window.
WITH counted AS (
  SELECT
    os_type, domain, code, module,
    count(*) AS crashes, count(DISTINCT host_id) AS hosts, max(placed_at) AS last_seen
  FROM selected_crashes GROUP BY ALL
),
seen AS (
  SELECT os_type, domain, code, module, min(placed_at) AS first_seen FROM placed_crashes GROUP BY ALL
)
SELECT
  counted.os_type, counted.domain, counted.code, counted.module, counted.crashes, counted.hosts,
  seen.first_seen, counted.last_seen
FROM counted JOIN seen
  ON seen.os_type = counted.os_type
  AND seen.domain IS NOT DISTINCT FROM counted.domain
  AND seen.code IS NOT DISTINCT FROM counted.code
  AND seen.module IS NOT DISTINCT FROM counted.module
ORDER BY counted.hosts DESC, counted.crashes DESC, counted.os_type, counted.code, counted.module
LIMIT CAST($most AS BIGINT)
