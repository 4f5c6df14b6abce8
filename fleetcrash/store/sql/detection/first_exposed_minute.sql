-- A minute before which no stretch of exposed_stretches begins, one row; null where there is none.
-- Reads the kept tables known_history and at_risk.
SELECT greatest(
  (SELECT min(CAST(epoch_us(exposed_from) AS BIGINT)) FROM known_history),
  (SELECT min(from_us) FROM at_risk)
) // 60000000 AS first_minute
