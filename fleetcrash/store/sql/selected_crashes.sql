-- Crashes in the window and within the filters, one row per crash, placed where the analysis puts it.
-- $since, $until: half-open, UTC. $clusters, $updates, $channels: lists; null or an empty list filters nothing. The last two
-- keep the crashes of hosts that were exposed.
-- $text: keeps the crashes that say it, which are those of worded_crashes; empty filters nothing.
-- place: where the rest of the crash stands in placed_crashes. host, shape, kind: as there.
-- Each filter is a condition, or a branch, of its own with its parameter in it: DuckDB leaves out those that filter nothing.
-- Reads the kept tables placed_crashes, selected_kinds, signed_shapes, worded_crashes and selected_exposures.
WITH filtered AS (
  SELECT rowid AS place, crash_id, host, placed_at, exposed_at, kind, shape
  FROM placed_crashes SEMI JOIN selected_kinds USING (kind)
  WHERE placed_at >= CAST($since AS TIMESTAMPTZ) AND placed_at < CAST($until AS TIMESTAMPTZ)
    AND (
      coalesce(len(CAST($clusters AS VARCHAR[])), 0) = 0
      OR shape IN (SELECT shape FROM signed_shapes WHERE list_contains(CAST($clusters AS VARCHAR[]), cluster_id))
    )
),
worded AS (
  SELECT * FROM filtered WHERE coalesce(CAST($text AS VARCHAR), '') = ''
  UNION ALL
  SELECT * FROM filtered SEMI JOIN worded_crashes USING (crash_id) WHERE coalesce(CAST($text AS VARCHAR), '') <> ''
)
SELECT * EXCLUDE (crash_id) FROM worded
WHERE coalesce(len(CAST($updates AS VARCHAR[])), 0) + coalesce(len(CAST($channels AS VARCHAR[])), 0) = 0
UNION ALL
SELECT worded.* EXCLUDE (crash_id) FROM worded SEMI JOIN selected_exposures AS exposed
  ON exposed.host = worded.host
  AND exposed.exposed_from <= worded.exposed_at AND exposed.exposed_until > worded.exposed_at
WHERE coalesce(len(CAST($updates AS VARCHAR[])), 0) + coalesce(len(CAST($channels AS VARCHAR[])), 0) > 0
