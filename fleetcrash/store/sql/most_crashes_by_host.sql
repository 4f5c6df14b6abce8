-- The hosts with most crashes, one row per host, at most $most: for a page that counts them again and again, so hosts are
-- ranked by number before any of them is looked up by name; crashed_hosts tells more of each.
-- Window and filters are those of the kept table selected_crashes; it reads placed_crashes as well.
WITH counted AS (
  SELECT host, count(*) AS crashes, min(place) AS place FROM selected_crashes
  GROUP BY host
  ORDER BY crashes DESC, host
  LIMIT CAST($most AS BIGINT)
)
SELECT placed.host_id, counted.crashes
FROM counted JOIN placed_crashes AS placed ON placed.rowid = counted.place
ORDER BY counted.crashes DESC, placed.host_id
