-- The same as selected_edges where the filters ask for one update, for no channel, and for all of its crashes.
-- $since, $until, $bucket_s: as there. $updates: list of the one update.
-- Kinds are picked from what was added up, as they would have to be looked up for every edge before.
-- Reads the kept tables exposed_time and exposed_crashes, which end with the window and may begin before it, and
-- selected_kinds.
WITH stretched AS (
  SELECT kind, greatest(online_from, CAST($since AS TIMESTAMPTZ)) AS online_from, online_until
  FROM exposed_time
  WHERE update_number = hash(CAST($updates AS VARCHAR[])[1]) AND online_until > CAST($since AS TIMESTAMPTZ)
),
marked AS (
  SELECT kind, online_from AS moment, 1 AS step, 0 AS crashes FROM stretched
  UNION ALL
  SELECT kind, online_until, -1, 0 FROM stretched WHERE online_until < CAST($until AS TIMESTAMPTZ)
  UNION ALL
  SELECT kind, placed_at, 0, 1 FROM exposed_crashes
  WHERE update_number = hash(CAST($updates AS VARCHAR[])[1]) AND placed_at >= CAST($since AS TIMESTAMPTZ)
),
placed AS (SELECT kind, epoch(moment) - epoch(CAST($since AS TIMESTAMPTZ)) AS at_s, step, crashes FROM marked),
summed AS (
  SELECT
    kind, CAST(floor(at_s / $bucket_s) AS BIGINT) AS bucket,
    CAST(sum(step) AS BIGINT) AS step, sum(step * (at_s % $bucket_s)) AS into_s, CAST(sum(crashes) AS BIGINT) AS crashes
  FROM placed GROUP BY ALL
)
SELECT * FROM summed SEMI JOIN selected_kinds USING (kind)
