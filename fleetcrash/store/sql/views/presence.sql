-- Stretches online known as of the instant, one row per host and online_from, from sessions and heartbeats.
-- online_until: null while online, and for ten minutes after the end, which is when an end is known.
-- since_known: from when the stretch was known; gone_known: from when its end was.
WITH beats AS (
  SELECT host_id, least("at", min(known_at)) AS beat_at, min(known_at) AS known_at FROM lake_heartbeat
  WHERE known_at <= getvariable('as_of')
  GROUP BY host_id, "at"
),
marked AS (
  SELECT *, coalesce(beat_at - lag(beat_at) OVER (PARTITION BY host_id ORDER BY beat_at) > INTERVAL 750 SECOND, true) AS opens
  FROM beats
),
numbered AS (
  SELECT *, count(*) FILTER (opens) OVER (PARTITION BY host_id ORDER BY beat_at ROWS UNBOUNDED PRECEDING) AS stretch
  FROM marked
),
folded AS (
  SELECT host_id, min(beat_at) AS online_from, max(beat_at) AS last_beat, min(known_at) AS since_known
  FROM numbered GROUP BY host_id, stretch
),
-- Of what was said of a session the newest counts, and from when that was first said: saying it again changes nothing.
said AS (
  SELECT host_id, online_from, online_until, min(known_at) AS first_known, max(known_at) AS last_known
  FROM lake_session WHERE known_at <= getvariable('as_of')
  GROUP BY host_id, online_from, online_until
),
stated AS (
  SELECT
    host_id, online_from,
    arg_max_null(online_until, (last_known, online_until IS NOT NULL, online_until)) AS online_until,
    min(first_known) AS since_known,
    arg_max(first_known, (last_known, online_until IS NOT NULL, online_until)) AS gone_known
  FROM said GROUP BY host_id, online_from
),
both_kinds AS (
  SELECT host_id, online_from, online_until, since_known, gone_known FROM stated
  UNION ALL
  SELECT
    host_id, online_from,
    CASE WHEN last_beat + INTERVAL 750 SECOND <= getvariable('as_of') THEN last_beat END,
    since_known, last_beat + INTERVAL 750 SECOND
  FROM folded
)
SELECT
  host_id, online_from, since_known, false AS assumed,
  CASE WHEN online_until <= getvariable('as_of') - INTERVAL 10 MINUTE THEN online_until END AS online_until,
  CASE WHEN online_until <= getvariable('as_of') - INTERVAL 10 MINUTE
    THEN greatest(online_until + INTERVAL 10 MINUTE, gone_known) END AS gone_known
FROM both_kinds
