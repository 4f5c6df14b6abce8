-- What was told of hosts by each of two ticks, one row: two numbers that stay as long as that does, whatever is told later.
-- They are sums of hashes, over stretches at risk, installs and who left; what became of these later is no part of it.
-- $earlier, $now: the ticks, whole minutes since 1970. Reads the kept tables at_risk, known_history and gone.
WITH told AS (
  SELECT hash(host_id, cell, since_boot, boot_us, from_us) AS print, from_us AS since_us, until_us FROM at_risk
  UNION ALL
  SELECT
    hash(host_id, update_id, known_at, exposed_from, exposed_until, since_known),
    CAST(epoch_us(greatest(known_at, since_known)) AS BIGINT), CAST(epoch_us(superseded_known) AS BIGINT)
  FROM known_history
  UNION ALL
  SELECT
    hash(host_id, cell, since_boot, boot_us, left_us, gone_known, always_on, may_restart, in_time),
    CAST(epoch_us(gone_known) AS BIGINT), CAST(epoch_us(back_at) AS BIGINT)
  FROM gone
  UNION ALL
  SELECT hash(host_id, left_us, patched_known), CAST(epoch_us(greatest(gone_known, patched_known)) AS BIGINT), NULL
  FROM gone WHERE patched_known IS NOT NULL
),
dated AS (
  SELECT print, since_us, until_us, CASE WHEN until_us IS NOT NULL THEN greatest(since_us, until_us) END AS ended_us FROM told
),
asked AS (
  SELECT CAST($earlier AS BIGINT) * 60000000 AS earlier_us, CAST($now AS BIGINT) * 60000000 AS now_us
),
summed AS (
  SELECT
    sum(print) FILTER (since_us <= earlier_us) AS began_before,
    sum(hash(print, until_us)) FILTER (ended_us <= earlier_us) AS ended_before,
    sum(print) FILTER (since_us <= now_us) AS began,
    sum(hash(print, until_us)) FILTER (ended_us <= now_us) AS ended
  FROM dated CROSS JOIN asked
)
SELECT
  CAST(coalesce(began_before, 0) + coalesce(ended_before, 0) AS VARCHAR) AS earlier,
  CAST(coalesce(began, 0) + coalesce(ended, 0) AS VARCHAR) AS now
FROM summed
