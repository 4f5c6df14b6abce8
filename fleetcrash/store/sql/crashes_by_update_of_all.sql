-- The same as crashes_by_update where only hosts are filtered: by no update, no channel, no cluster and no text.
-- $since: start of the window, UTC. Reads the kept tables exposed_crashes, which ends with the window and may begin before it,
-- selected_kinds and exposed_updates.
WITH counted AS (
  SELECT update_number, count(*) AS crashes, count(DISTINCT host) AS hosts_crashed
  FROM exposed_crashes SEMI JOIN selected_kinds USING (kind)
  WHERE placed_at >= CAST($since AS TIMESTAMPTZ) GROUP BY update_number
)
SELECT update_id, crashes, hosts_crashed FROM counted JOIN exposed_updates USING (update_number)
