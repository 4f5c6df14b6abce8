-- How many hosts are at risk in some cells at an instant, and how many of them had told of an install by then.
-- $cells: numbers of the cells. $at: the instant. Reads the kept tables at_risk and known_history.
WITH here AS (
  SELECT DISTINCT host_id
  FROM at_risk
  WHERE cell IN (SELECT unnest($cells)) AND from_us <= CAST(epoch_us(CAST($at AS TIMESTAMPTZ)) AS BIGINT)
    AND coalesce(until_us > CAST(epoch_us(CAST($at AS TIMESTAMPTZ)) AS BIGINT), true)
)
SELECT
  count(*) AS hosts,
  count(*) FILTER (WHERE host_id IN (SELECT host_id FROM known_history WHERE known_at <= CAST($at AS TIMESTAMPTZ))) AS tell
FROM here
