-- Time at which hosts were exposed to what the filters ask for, one row per host and stretch, half-open
-- [exposed_from, exposed_until); overlapping exposures are one stretch. No row where the filters ask for no update.
-- $updates, $channels: lists; null or an empty list filters nothing. Both together: updates of the list, in those channels.
-- host: as in online_stretches. Reads the kept tables exposures_in_window and exposed_updates, and tells of their window
-- alone.
-- A host's exposures to one update never overlap: a later install of it ends the exposure by an earlier one. To several
-- updates most hosts have one exposure all the same; to see that is less work than to put all in order.
WITH chosen AS (
  SELECT host, exposed_from, exposed_until FROM exposures_in_window
  WHERE coalesce(len(CAST($updates AS VARCHAR[])), 0) + coalesce(len(CAST($channels AS VARCHAR[])), 0) > 0
    AND (
      coalesce(len(CAST($updates AS VARCHAR[])), 0) = 0
      OR list_contains(CAST($updates AS VARCHAR[]), update_id)
    )
    AND (
      coalesce(len(CAST($channels AS VARCHAR[])), 0) = 0
      OR update_id IN (SELECT update_id FROM exposed_updates WHERE list_contains(CAST($channels AS VARCHAR[]), channel))
    )
),
spanned AS (
  SELECT host, count(*) AS exposures, min(exposed_from) AS exposed_from, max(exposed_until) AS exposed_until
  FROM chosen WHERE coalesce(len(CAST($updates AS VARCHAR[])), 0) <> 1 GROUP BY host
),
covered AS (
  SELECT
    *,
    max(exposed_until) OVER (
      PARTITION BY host ORDER BY exposed_from, exposed_until ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
    ) AS covered_until
  FROM chosen SEMI JOIN (FROM spanned WHERE exposures > 1) AS several USING (host)
),
numbered AS (
  SELECT
    *,
    count(*) FILTER (covered_until IS NULL OR exposed_from > covered_until) OVER (
      PARTITION BY host ORDER BY exposed_from, exposed_until ROWS UNBOUNDED PRECEDING
    ) AS island
  FROM covered
)
SELECT host, exposed_from, exposed_until FROM chosen WHERE len(CAST($updates AS VARCHAR[])) = 1
UNION ALL
SELECT host, exposed_from, exposed_until FROM spanned WHERE exposures = 1
UNION ALL
SELECT host, min(exposed_from), max(exposed_until) FROM numbered GROUP BY host, island
