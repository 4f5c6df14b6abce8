-- Batches that hold records of this one and are not in the books, one row per batch. Rows of no batch are always visible.
-- An anti join, as NOT IN would put all of the books into memory, each time.
SELECT DISTINCT batch_id FROM (SELECT unnest(leans_on) AS batch_id FROM standings) AS holding
ANTI JOIN lake_batch USING (batch_id)
WHERE batch_id IS NOT NULL
