-- Inventory known as of the instant, one row per host: the newest known.
SELECT * EXCLUDE (batch_id)
FROM lake_host AS row_of_host
WHERE known_at <= getvariable('as_of')
QUALIFY row_number() OVER (PARTITION BY host_id ORDER BY known_at DESC, CAST(to_json(row_of_host) AS VARCHAR)) = 1
