-- The numbered places that were kept, one row per place, in the order of their numbers.
SELECT * FROM numbered_places ORDER BY place
