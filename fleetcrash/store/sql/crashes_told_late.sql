-- How many crashes are known, and how many of them came to be known more than an hour after they happened, one row.
-- Where most did, as of a backlog that came at once, little can be said: which hosts were at risk then was told as late.
SELECT count(*) AS crashes_known, count(*) FILTER (known_at > placed_at + INTERVAL 1 HOUR) AS crashes_told_late FROM crashes
