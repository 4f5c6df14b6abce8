-- The cells that were kept, one row per cell, in the order of their numbers.
SELECT * FROM cells ORDER BY cell
