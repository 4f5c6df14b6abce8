-- Operating systems in the inventory as of the instant, one row each, in order.
-- heard_at: since when it is known that some host of it tells its presence; null: none does. is_active: of one of which none
-- does, five hosts or more install or crash: of fewer what they tell may be lost.
WITH known AS (
  SELECT DISTINCT host_id, os_type FROM lake_host WHERE known_at <= getvariable('as_of')
),
told AS (
  SELECT host_id, known_at FROM lake_session WHERE known_at <= getvariable('as_of')
  UNION ALL
  SELECT host_id, known_at FROM lake_heartbeat WHERE known_at <= getvariable('as_of')
),
heard AS (
  SELECT os_type, min(told.known_at) AS heard_at FROM told JOIN known USING (host_id) GROUP BY os_type
),
unheard AS (
  SELECT * FROM known ANTI JOIN heard USING (os_type)
),
did AS (
  SELECT host_id FROM lake_install WHERE known_at <= getvariable('as_of')
  UNION ALL
  SELECT host_id FROM lake_crash WHERE known_at <= getvariable('as_of')
),
active AS (
  SELECT os_type FROM did JOIN unheard USING (host_id) GROUP BY os_type HAVING count(DISTINCT host_id) >= 5
)
SELECT os_type, heard.heard_at, active.os_type IS NOT NULL AS is_active
FROM (SELECT DISTINCT os_type FROM known) AS systems
LEFT JOIN heard USING (os_type)
LEFT JOIN active USING (os_type)
ORDER BY os_type
