-- Lines of a kind whose records break no rule, one row per record.
SELECT line FROM __judged__ WHERE reason IS NULL ORDER BY line
