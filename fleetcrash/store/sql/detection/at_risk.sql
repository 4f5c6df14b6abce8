-- Stretches in which a host could crash, one row per host, cell and time since the start of its session.
-- Half-open [from_us, until_us), microseconds; until_us is null while the stretch lasts.
-- A host counts until its silence is known, or a later session of it, of which it may be the first that is told where a crash
-- ended the one before; and from when its presence is. So a session that is told late changes nothing of before; heartbeats
-- that were held up do, and an end that is taken back (see counted_by). What came before its first row of the inventory
-- stays in cell -1, as it was before that row was known.
-- since_boot: 0 under ten minutes since the session began, 1 under thirty, 2 under twelve hours, 3 later; machines crash
-- more just after boot, and they install just after boot. Those that are up for longer are other machines than those that
-- are put to sleep.
-- A session that may have begun long before it was told of (see first_told) counts as half an hour old when it begins.
-- boot_us: when the session began; null where presence is assumed, and after the first ten minutes.
WITH stretched AS (
  SELECT
    host_id, assumed,
    CAST(epoch_us(online_from) AS BIGINT)
      - CASE WHEN NOT assumed AND online_from <= (SELECT told_at FROM first_told) THEN 1800000000 ELSE 0 END AS boot_us,
    CAST(epoch_us(greatest(online_from, since_known)) AS BIGINT) AS from_us,
    CAST(epoch_us(least(gone_known, min(greatest(online_from, since_known)) OVER later)) AS BIGINT) AS until_us
  FROM known_presence
  WINDOW later AS (PARTITION BY host_id ORDER BY online_from ROWS BETWEEN 1 FOLLOWING AND UNBOUNDED FOLLOWING)
),
split AS (
  SELECT
    host_id, since_boot,
    CASE WHEN since_boot = 0 AND NOT assumed THEN boot_us END AS boot_us,
    greatest(from_us, boot_us + low_us) AS from_us,
    CASE WHEN high_us IS NULL THEN until_us ELSE least(coalesce(until_us, boot_us + high_us), boot_us + high_us) END AS until_us
  FROM stretched
  CROSS JOIN (VALUES (0, 0, 600000000), (1, 600000000, 1800000000), (2, 1800000000, 43200000000), (3, 43200000000, NULL)) AS age (since_boot, low_us, high_us)
)
SELECT
  split.host_id, split.since_boot, split.boot_us,
  coalesce(host_cell.cell, -1) AS cell,
  greatest(split.from_us, coalesce(host_cell.from_us, split.from_us)) AS from_us,
  least(split.until_us, host_cell.until_us) AS until_us
FROM split
LEFT JOIN host_cell
  ON host_cell.host_id = split.host_id
  AND host_cell.from_us < coalesce(split.until_us, 9223372036854775807)
  AND coalesce(host_cell.until_us, 9223372036854775807) > split.from_us
WHERE split.from_us < coalesce(split.until_us, 9223372036854775807)
UNION ALL
SELECT split.host_id, split.since_boot, split.boot_us, -1, split.from_us, first_cell.from_us
FROM split
JOIN (SELECT host_id, min(from_us) AS from_us FROM host_cell GROUP BY host_id) AS first_cell
  ON first_cell.host_id = split.host_id
  AND first_cell.from_us > split.from_us
  AND first_cell.from_us < coalesce(split.until_us, 9223372036854775807)
