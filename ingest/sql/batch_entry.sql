-- What the books say of a batch, one row.
SELECT read, accepted, duplicates, quarantined FROM lake_batch WHERE batch_id = $batch_id LIMIT 1
