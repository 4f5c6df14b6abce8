-- How many lines were read, one row; blank ones are not among them.
SELECT count(*) AS read FROM staged WHERE NOT is_blank
