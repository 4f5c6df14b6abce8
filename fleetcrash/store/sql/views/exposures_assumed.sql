-- Exposure where no install is told, one row per host and update, half-open [exposed_from, exposed_until): every host
-- that was online at or after the release has it from then on, until a later release of the same kind and channel.
WITH online AS (
  SELECT
    presence.host_id, updates.update_id, updates.kind, updates.channel, updates.known_at, updates.released_at,
    greatest(updates.released_at, min(presence.online_from)) AS exposed_from
  FROM updates
  JOIN presence ON coalesce(presence.online_until, 'infinity') > updates.released_at
  GROUP BY
    presence.host_id, updates.update_id, updates.kind, updates.channel, updates.known_at, updates.released_at
),
followed AS (
  SELECT
    *,
    lead(exposed_from) OVER slot AS replaced_at,
    lead(greatest(known_at, exposed_from)) OVER slot AS replaced_known
  FROM online
  WINDOW slot AS (PARTITION BY host_id, kind, channel ORDER BY exposed_from, released_at, update_id)
)
SELECT
  host_id, update_id, greatest(known_at, exposed_from) AS known_at,
  exposed_from, replaced_at AS exposed_until, replaced_known AS until_known
FROM followed
WHERE exposed_from <= getvariable('as_of') AND exposed_from < coalesce(replaced_at, 'infinity')
