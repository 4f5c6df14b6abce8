-- Batches that hold records of this one and are not in the books, one row per batch.
SELECT DISTINCT batch_id FROM (SELECT unnest(leans_on) AS batch_id FROM standings)
WHERE batch_id NOT IN (SELECT batch_id FROM lake_batch)
