-- Hashes of the keys that sound rows of one kind share with another batch of the lake, one row per row of the lake.
SELECT judged.key_hash
FROM __judged__ AS judged JOIN __lake__ AS stored ON __same_key__
WHERE judged.reason IS NULL AND stored.batch_id IS DISTINCT FROM $batch_id
