-- Time at which hosts were exposed to what the filters ask for, one row per host and stretch, half-open
-- [exposed_from, exposed_until); overlapping exposures are one stretch. No row where the filters ask for no update.
-- $updates, $channels: lists; null or an empty list filters nothing. Both together: updates of the list, in those channels.
-- Reads the kept table known_exposures.
WITH chosen AS (
  SELECT
    host_id, exposed_from, exposed_until,
    max(exposed_until) OVER (
      PARTITION BY host_id ORDER BY exposed_from, exposed_until ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
    ) AS covered_until
  FROM known_exposures
  WHERE coalesce(len(CAST($updates AS VARCHAR[])), 0) + coalesce(len(CAST($channels AS VARCHAR[])), 0) > 0
    AND (
      coalesce(len(CAST($updates AS VARCHAR[])), 0) = 0
      OR list_contains(CAST($updates AS VARCHAR[]), update_id)
    )
    AND (
      coalesce(len(CAST($channels AS VARCHAR[])), 0) = 0
      OR list_contains(CAST($channels AS VARCHAR[]), channel)
    )
),
numbered AS (
  SELECT
    *,
    count(*) FILTER (covered_until IS NULL OR exposed_from > covered_until) OVER (
      PARTITION BY host_id ORDER BY exposed_from, exposed_until ROWS UNBOUNDED PRECEDING
    ) AS island
  FROM chosen
)
SELECT host_id, min(exposed_from) AS exposed_from, max(exposed_until) AS exposed_until
FROM numbered GROUP BY host_id, island
