-- Our clock when records of a batch were put aside, one row, microseconds since 1970; no row where none were.
SELECT CAST(epoch_us(known_at) AS BIGINT) AS known_us FROM lake_quarantine WHERE batch_id = $batch_id LIMIT 1
