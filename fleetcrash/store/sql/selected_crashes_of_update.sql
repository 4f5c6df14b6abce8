-- The same as selected_crashes where the filters ask for one update, and for no channel.
-- $since: start of the window, UTC. $updates: list of the one update. $clusters, $text: as in selected_crashes.
-- Reads the kept tables exposed_crashes, which ends with the window and may begin before it, selected_kinds, placed_crashes,
-- signed_shapes and worded_crashes.
WITH filtered AS (
  SELECT place, host, placed_at, exposed_at, kind, shape
  FROM exposed_crashes SEMI JOIN selected_kinds USING (kind)
  WHERE update_number = hash(CAST($updates AS VARCHAR[])[1]) AND placed_at >= CAST($since AS TIMESTAMPTZ)
    AND (
      coalesce(len(CAST($clusters AS VARCHAR[])), 0) = 0
      OR shape IN (SELECT shape FROM signed_shapes WHERE list_contains(CAST($clusters AS VARCHAR[]), cluster_id))
    )
)
SELECT * FROM filtered WHERE coalesce(CAST($text AS VARCHAR), '') = ''
UNION ALL
SELECT * FROM filtered
WHERE coalesce(CAST($text AS VARCHAR), '') <> ''
  AND place IN (SELECT placed_crashes.rowid FROM placed_crashes SEMI JOIN worded_crashes USING (crash_id))
