-- How many of the contested records are new to the lake, and how many are not, one row.
SELECT count(*) FILTER (is_new) AS new, count(*) FILTER (NOT is_new) AS not_new FROM standings
