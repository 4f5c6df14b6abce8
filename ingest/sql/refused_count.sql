-- How many records were refused, one row.
SELECT count(*) AS refused FROM (__refused__)
