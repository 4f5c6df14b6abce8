-- How many records of a kind break no rule, one row.
SELECT count(*) AS sound FROM __judged__ WHERE reason IS NULL
