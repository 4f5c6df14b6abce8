-- Exposure of the events that were kept, one row per event and update, by the tick at which it was known.
SELECT * FROM exposed_events ORDER BY tick, event, update_id
