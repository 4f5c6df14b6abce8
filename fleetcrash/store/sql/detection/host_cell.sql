-- The cell that a host was in, one row per host and stretch, half-open [from_us, until_us), microseconds.
-- A change counts from when it was known, so that a tick never looks ahead; one that is told after a later one never does.
-- until_us is null for the last.
WITH known AS (
  SELECT *, greatest(valid_from, known_from) AS from_at FROM known_spans
  QUALIFY coalesce(valid_from > max(valid_from) OVER (
    PARTITION BY host_id ORDER BY from_at, valid_from ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
  ), true)
),
bounded AS (
  SELECT
    host_id, os_type, os_version, os_build, agent_version, model, region, ring, always_on, "group", site, customer,
    from_at, lead(from_at) OVER (PARTITION BY host_id ORDER BY from_at, valid_from) AS until_at
  FROM known
)
SELECT
  bounded.host_id, cells.cell, bounded."group", bounded.site, bounded.customer,
  CAST(epoch_us(bounded.from_at) AS BIGINT) AS from_us,
  CAST(epoch_us(bounded.until_at) AS BIGINT) AS until_us
FROM bounded
JOIN cells
  ON bounded.os_type IS NOT DISTINCT FROM cells.os_type
  AND bounded.os_version IS NOT DISTINCT FROM cells.os_version
  AND bounded.os_build IS NOT DISTINCT FROM cells.os_build
  AND bounded.agent_version IS NOT DISTINCT FROM cells.agent_version
  AND bounded.model IS NOT DISTINCT FROM cells.model
  AND bounded.region IS NOT DISTINCT FROM cells.region
  AND bounded.ring IS NOT DISTINCT FROM cells.ring
  AND bounded.always_on IS NOT DISTINCT FROM cells.always_on
WHERE bounded.from_at < coalesce(bounded.until_at, 'infinity')
