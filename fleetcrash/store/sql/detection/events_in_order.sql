-- The events that were kept, one row per event, in the order of their numbers.
SELECT * FROM events ORDER BY event
