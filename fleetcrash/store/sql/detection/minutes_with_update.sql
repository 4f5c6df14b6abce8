-- Minutes for which hosts were at risk with an update that they had had since before, one row per cell and time since boot.
-- As it was known at $at: installs and presence. $update_id: the update. $since, $at: from when to when.
-- Reads the kept tables at_risk and known_history.
WITH asked AS (
  SELECT
    CAST(epoch_us(CAST($since AS TIMESTAMPTZ)) AS BIGINT) AS since_us, CAST(epoch_us(CAST($at AS TIMESTAMPTZ)) AS BIGINT) AS at_us
),
holding AS (
  SELECT DISTINCT host_id FROM known_history
  WHERE update_id = $update_id AND known_at <= CAST($at AS TIMESTAMPTZ)
    AND coalesce(since_known <= CAST($at AS TIMESTAMPTZ), true) AND coalesce(superseded_known > CAST($at AS TIMESTAMPTZ), true)
    AND exposed_from <= CAST($since AS TIMESTAMPTZ) AND coalesce(exposed_until > CAST($since AS TIMESTAMPTZ), true)
)
SELECT
  at_risk.cell, at_risk.since_boot,
  sum(least(coalesce(at_risk.until_us, asked.at_us), asked.at_us) - greatest(at_risk.from_us, asked.since_us)) / 6e7 AS minutes
FROM at_risk
JOIN holding USING (host_id)
CROSS JOIN asked
WHERE at_risk.from_us < asked.at_us AND coalesce(at_risk.until_us, asked.at_us) > asked.since_us
GROUP BY at_risk.cell, at_risk.since_boot
ORDER BY at_risk.cell, at_risk.since_boot
