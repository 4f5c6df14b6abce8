-- What was known of exposure, and when: one row per install and version of its end. From since_known (null: from
-- when the install was known) until superseded_known (null: until now) exposure was held to be half-open
-- [exposed_from, exposed_until), or without an end. Of the ends known at a time the earliest counts: a removal, or
-- a later install of the same slot.
WITH followed AS (
  SELECT
    *,
    lead(placed_at) OVER slot AS next_at,
    lead(known_at) OVER slot AS next_known,
    slot_known IS NOT NULL OR lead(slot_known) OVER slot IS NOT NULL AS is_listed_late,
    min(known_at) OVER (slot ROWS BETWEEN 2 FOLLOWING AND UNBOUNDED FOLLOWING) AS further_known
  FROM steps
  WINDOW slot AS (PARTITION BY host_id, slot_kind, channel, action ORDER BY placed_at, order_at, update_id)
),
last_removed AS (
  SELECT host_id, update_id, max(placed_at) AS removed_at FROM steps WHERE action = 'removed' GROUP BY host_id, update_id
),
installed AS (
  SELECT
    followed.*,
    coalesce(removed_at >= placed_at, false) OR coalesce(further_known < next_known, false)
      OR is_listed_late AS several_ends
  FROM followed LEFT JOIN last_removed USING (host_id, update_id)
  WHERE action = 'installed'
),
-- One end, nearly always. The rest: removals, installs that were told in another order than they happened, and those of
-- which the catalogue told late what they are: until then nobody knew whose place one took.
ends AS (
  SELECT
    installed.host_id, installed.update_id, installed.placed_at, later.placed_at AS end_at,
    CASE WHEN later.update_id = installed.update_id THEN later.known_at
      ELSE greatest(later.known_at, later.slot_known, installed.slot_known) END AS end_known
  FROM installed JOIN followed AS later
    ON installed.several_ends
    AND later.host_id = installed.host_id
    AND CASE later.action
      WHEN 'removed' THEN later.update_id = installed.update_id AND later.placed_at >= installed.placed_at
      ELSE later.slot_kind = installed.slot_kind AND later.channel IS NOT DISTINCT FROM installed.channel
        AND (later.placed_at, later.order_at, later.update_id)
          > (installed.placed_at, installed.order_at, installed.update_id)
    END
),
earlier_ends AS (
  SELECT * FROM ends
  QUALIFY end_at < coalesce(
    min(end_at) OVER (
      PARTITION BY host_id, update_id, placed_at ORDER BY end_known, end_at ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
    ),
    'infinity'
  )
),
known_ends AS (
  SELECT host_id, update_id, placed_at, next_at AS end_at, next_known AS since_known, CAST(NULL AS TIMESTAMPTZ) AS superseded_known
  FROM installed WHERE NOT several_ends AND next_at IS NOT NULL
  UNION ALL
  SELECT
    host_id, update_id, placed_at, end_at, end_known,
    lead(end_known) OVER (PARTITION BY host_id, update_id, placed_at ORDER BY end_known, end_at DESC)
  FROM earlier_ends
),
first_ends AS (
  SELECT host_id, update_id, placed_at, min(end_known) AS end_known FROM earlier_ends GROUP BY host_id, update_id, placed_at
)
SELECT
  host_id, update_id, installed.known_at, placed_at AS exposed_from, CAST(NULL AS TIMESTAMPTZ) AS exposed_until,
  CAST(NULL AS TIMESTAMPTZ) AS since_known,
  CASE WHEN several_ends THEN first_ends.end_known ELSE next_known END AS superseded_known
FROM installed LEFT JOIN first_ends USING (host_id, update_id, placed_at)
UNION ALL
SELECT host_id, update_id, installed.known_at, placed_at, known_ends.end_at, known_ends.since_known, known_ends.superseded_known
FROM installed JOIN known_ends USING (host_id, update_id, placed_at)
