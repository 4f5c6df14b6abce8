-- Stretches online as hosts tell them, known as of the instant, one row per host and online_from, from sessions and heartbeats.
-- online_until: null while online, and for ten minutes after the end, which is when an end is known.
-- since_known: from when the stretch was known; gone_known: from when its end was.
-- Time that is told twice counts once. Sessions that overlap are one, but not those that touch: a host boots in
-- between. A session of which no end is known is not taken to overlap a later one, since its end may be told late. What
-- beats say within a session is that session's, and silence ends it where it has no end; what is left of beats before
-- or behind it counts by itself where that is more than 750 seconds.
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
folded AS MATERIALIZED (
  SELECT host_id, min(beat_at) AS online_from, max(beat_at) AS last_beat, min(known_at) AS since_known
  FROM numbered GROUP BY host_id, stretch
),
-- Of what was said of a session the newest counts, and from when that was first said: saying it again changes nothing.
-- newness: of what was said at one time an end is newer than none, and a later end newer than an earlier one. It is one
-- number, made of microseconds: to compare rows of three values takes longer than all else here.
said AS (
  SELECT
    host_id, online_from, online_until, min(known_at) AS first_known,
    (CAST(epoch_us(max(known_at)) AS HUGEINT) * 2 + CAST(online_until IS NOT NULL AS HUGEINT)) * 4611686018427387904
      + coalesce(epoch_us(online_until), 0) AS newness
  FROM lake_session WHERE known_at <= getvariable('as_of')
  GROUP BY host_id, online_from, online_until
),
stated AS (
  SELECT
    host_id, online_from,
    arg_max_null(online_until, newness) AS online_until,
    min(first_known) AS since_known,
    arg_max(first_known, newness) AS gone_known
  FROM said GROUP BY host_id, online_from
),
looked_at AS MATERIALIZED (
  SELECT
    host_id, online_from, since_known,
    CASE WHEN online_until <= getvariable('as_of') - INTERVAL 10 MINUTE THEN online_until END AS online_until,
    CASE WHEN online_until <= getvariable('as_of') - INTERVAL 10 MINUTE
      THEN greatest(online_until + INTERVAL 10 MINUTE, gone_known) END AS gone_known
  FROM stated
),
-- Hosts to look at again: that beat, or have sessions that overlap, of which one overlaps the next. Numbers for hosts
-- are sorted faster than their names; two hosts of one number may be here without a reason.
suspected AS (
  SELECT DISTINCT host FROM (
    SELECT host, from_us < lag(until_us) OVER (PARTITION BY host ORDER BY from_us) AS overlaps_last
    FROM (
      SELECT hash(host_id) AS host, epoch_us(online_from) AS from_us, epoch_us(online_until) AS until_us FROM looked_at
    ) AS numbers
  ) AS followed
  WHERE overlaps_last
  UNION
  SELECT hash(host_id) FROM folded
),
placed AS (
  SELECT
    *,
    coalesce(online_from < max(online_until) OVER (
      PARTITION BY host_id ORDER BY online_from ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
    ), false) AS is_within
  FROM looked_at WHERE hash(host_id) IN (SELECT host FROM suspected)
),
overlapping AS (
  SELECT
    *,
    count(*) FILTER (NOT is_within) OVER (
      PARTITION BY host_id ORDER BY online_from ROWS UNBOUNDED PRECEDING
    ) AS sitting
  FROM placed
),
sat AS MATERIALIZED (
  SELECT
    host_id, min(online_from) AS online_from, min(since_known) AS since_known,
    CASE WHEN bool_and(online_until IS NOT NULL) THEN max(online_until) END AS online_until,
    CASE WHEN bool_and(online_until IS NOT NULL) THEN arg_max(gone_known, (online_until, gone_known)) END AS gone_known
  FROM overlapping GROUP BY host_id, sitting
),
-- From here on of hosts alone that tell of their presence in both ways.
beaten AS (SELECT * FROM folded SEMI JOIN sat USING (host_id)),
sequenced AS (
  SELECT *, lead(online_from) OVER (PARTITION BY host_id ORDER BY online_from) AS next_from
  FROM sat SEMI JOIN folded USING (host_id)
),
heard AS (
  SELECT
    sequenced.host_id, sequenced.online_from, any_value(sequenced.online_until) AS online_until,
    any_value(sequenced.since_known) AS since_known, any_value(sequenced.gone_known) AS gone_known,
    any_value(sequenced.next_from) AS next_from, min(beaten.since_known) AS heard_known,
    min(beaten.last_beat) AS first_silence,
    max(CASE
      WHEN beaten.last_beat > sequenced.online_until THEN sequenced.online_until ELSE beaten.last_beat
    END) AS last_within
  FROM sequenced
  LEFT JOIN beaten
    ON beaten.host_id = sequenced.host_id
    AND beaten.last_beat >= sequenced.online_from
    AND beaten.online_from < coalesce(sequenced.online_until, sequenced.next_from, 'infinity')
  GROUP BY sequenced.host_id, sequenced.online_from
),
-- A session that is told long after its beats were is known from when they were, and so is its end: 750 seconds after
-- the last beat within it.
joined AS MATERIALIZED (
  SELECT
    host_id, online_from, least(since_known, greatest(online_from, heard_known)) AS since_known,
    CASE WHEN is_silent THEN first_silence ELSE online_until END AS online_until,
    CASE WHEN is_silent THEN first_silence + INTERVAL 750 SECOND
      WHEN online_until IS NOT NULL
      THEN greatest(online_until + INTERVAL 10 MINUTE, least(gone_known, last_within + INTERVAL 750 SECOND))
    END AS gone_known
  FROM (
    SELECT
      *,
      online_until IS NULL AND first_silence < coalesce(next_from, 'infinity')
        AND first_silence + INTERVAL 750 SECOND <= getvariable('as_of') AS is_silent
    FROM heard
  ) AS ended
),
cut AS (
  SELECT
    host_id, online_from, last_beat, since_known,
    CAST('-infinity' AS TIMESTAMPTZ) AS cut_from, online_from AS cut_until
  FROM beaten
  UNION ALL
  SELECT
    beaten.host_id, beaten.online_from, last_beat, beaten.since_known,
    joined.online_from, coalesce(joined.online_until, 'infinity')
  FROM beaten
  JOIN joined
    ON joined.host_id = beaten.host_id
    AND joined.online_from <= beaten.last_beat AND coalesce(joined.online_until, 'infinity') > beaten.online_from
),
left_over AS (
  SELECT
    host_id, last_beat, since_known, count(*) OVER (PARTITION BY host_id, online_from) AS parts,
    max(cut_until) OVER (PARTITION BY host_id, online_from ORDER BY cut_from) AS online_from,
    lead(cut_from) OVER (PARTITION BY host_id, online_from ORDER BY cut_from) AS cut_at
  FROM cut
),
beating AS (
  SELECT host_id, online_from, last_beat, since_known, CAST(NULL AS TIMESTAMPTZ) AS cut_at
  FROM folded ANTI JOIN sat USING (host_id)
  UNION ALL
  SELECT host_id, online_from, last_beat, since_known, cut_at
  FROM left_over
  WHERE parts = 1 OR coalesce(cut_at, last_beat) > online_from + INTERVAL 750 SECOND
)
SELECT host_id, online_from, since_known, false AS assumed, online_until, gone_known
FROM looked_at WHERE hash(host_id) NOT IN (SELECT host FROM suspected)
UNION ALL
SELECT host_id, online_from, since_known, false, online_until, gone_known FROM sat ANTI JOIN folded USING (host_id)
UNION ALL
SELECT host_id, online_from, since_known, false, online_until, gone_known FROM joined
UNION ALL
SELECT
  host_id, online_from, since_known, false,
  CASE
    WHEN cut_at IS NOT NULL THEN cut_at
    WHEN last_beat + INTERVAL 750 SECOND <= getvariable('as_of') THEN last_beat
  END,
  CASE
    WHEN cut_at IS NOT NULL THEN greatest(cut_at, since_known)
    WHEN last_beat + INTERVAL 750 SECOND <= getvariable('as_of') THEN last_beat + INTERVAL 750 SECOND
  END
FROM beating
