-- A minute before which no stretch of exposed_stretches begins, one row; null where nothing is known of hosts.
-- The earliest may begin much later: the first install and the first time at risk may be of two hosts.
-- Reads the kept tables known_history and at_risk.
SELECT greatest(
  (SELECT min(CAST(epoch_us(exposed_from) AS BIGINT)) FROM known_history),
  (SELECT min(from_us) FROM at_risk)
) // 60000000 AS first_minute
