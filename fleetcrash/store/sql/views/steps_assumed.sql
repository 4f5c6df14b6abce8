-- Steps where no install is told: every host that was online at or after a release has the update from then on, until a
-- later release of the same kind and channel. One row per host and update; and of a host that turned out to have left just
-- before the release, what was held until that was known (left_known), and its end. Of a host that crashed and told that it
-- lacked the content, what was held until that was known, and its end; and that it had it, if a later crash tells so.
-- A row is the same at every instant that may look at it, whatever becomes known of the host later.
WITH met AS (
  SELECT
    presence.host_id, updates.update_id, updates.kind, updates.channel, updates.released_at,
    greatest(updates.released_at, presence.online_from) AS placed_at,
    greatest(updates.known_at, updates.released_at, presence.online_from, presence.since_known) AS known_at,
    CASE WHEN presence.online_until <= updates.released_at THEN presence.gone_known END AS left_known
  FROM updates
  JOIN presence ON coalesce(presence.gone_known, 'infinity') > updates.released_at
),
assumed AS (
  SELECT
    host_id, update_id, kind, channel, released_at,
    min({'known_at': known_at, 'placed_at': placed_at}) FILTER (left_known IS NULL) AS stay,
    min(known_at) FILTER (left_known > known_at) AS held_known,
    max(left_known) FILTER (left_known > known_at) AS left_known
  FROM met
  WHERE placed_at <= getvariable('as_of')
  GROUP BY host_id, update_id, kind, channel, released_at
),
told AS (
  SELECT
    host_id, update_id,
    min({'known_at': known_at, 'placed_at': placed_at}) FILTER (NOT has_it) AS lacks,
    min({'known_at': known_at, 'placed_at': placed_at}) FILTER (has_it) AS has
  FROM content_told GROUP BY host_id, update_id
),
stepped AS (
  SELECT
    *, stay.placed_at AS placed_at, 'installed' AS action,
    CASE WHEN stay.placed_at > released_at THEN greatest(stay.known_at, left_known)
      ELSE least(stay.known_at, held_known) END AS known_at
  FROM assumed WHERE stay IS NOT NULL
  UNION ALL
  SELECT *, released_at, 'installed', held_known
  FROM assumed WHERE left_known IS NOT NULL AND (stay IS NULL OR stay.placed_at > released_at)
  UNION ALL
  SELECT *, released_at, 'removed', left_known
  FROM assumed WHERE left_known IS NOT NULL AND (stay IS NULL OR stay.placed_at > released_at)
)
SELECT
  host_id, update_id, placed_at, known_at, action, kind AS slot_kind, channel,
  CAST(NULL AS TIMESTAMPTZ) AS slot_known, released_at AS order_at
FROM stepped
UNION ALL
SELECT
  host_id, update_id,
  CASE WHEN told.has.placed_at < told.lacks.placed_at THEN told.lacks.placed_at ELSE stepped.placed_at END,
  greatest(stepped.known_at, told.lacks.known_at), 'removed', kind, channel, NULL, released_at
FROM stepped JOIN told USING (host_id, update_id)
WHERE action = 'installed' AND told.lacks.placed_at >= stepped.placed_at
UNION ALL
SELECT host_id, update_id, told.has.placed_at, told.has.known_at, 'installed', kind, channel, NULL, released_at
FROM told JOIN updates USING (update_id)
WHERE told.has.placed_at > told.lacks.placed_at
