-- Hosts that have, or had, another update that an incident names, one row per host: from when it first had one until the last of
-- these incidents was over, microseconds; to be kept as gate_named. What befalls them meanwhile is that update's.
-- $named, $named_until_us: these updates, and when their incidents ended.
-- Reads the kept table known_history.
WITH named AS (
  SELECT unnest(CAST($named AS VARCHAR[])) AS update_id, unnest(CAST($named_until_us AS BIGINT[])) AS until_us
)
SELECT history.host_id, CAST(epoch_us(min(history.exposed_from)) AS BIGINT) AS from_us, max(named.until_us) AS until_us
FROM known_history AS history JOIN named ON named.update_id = history.update_id
WHERE history.superseded_known IS NULL
  AND history.exposed_from <= CAST(getvariable('as_of') AS TIMESTAMPTZ)
  AND history.exposed_from < coalesce(history.exposed_until, 'infinity')
  AND named.until_us > CAST(epoch_us(history.exposed_from) AS BIGINT)
GROUP BY history.host_id
