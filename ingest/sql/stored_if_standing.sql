-- Sound records of one kind without those that another one stands before, in the columns of the lake, one row per record.
SELECT __stored__, $batch_id AS batch_id
FROM __judged__ ANTI JOIN (SELECT line FROM standings WHERE NOT is_stored) USING (line)
WHERE reason IS NULL
