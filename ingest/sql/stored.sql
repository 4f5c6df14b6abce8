-- Sound records of one kind in the columns of the lake, one row per record.
SELECT __stored__, $batch_id AS batch_id FROM __judged__ WHERE reason IS NULL
