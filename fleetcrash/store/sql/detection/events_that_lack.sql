-- Crashes whose hosts told that they lacked an update of the day before, one row per event and update. Reads the kept table
-- events.
SELECT events.event, content_told.update_id
FROM events JOIN content_told ON content_told.crash_id = events.event_id AND events.outcome = 0
WHERE NOT content_told.has_it
ORDER BY events.event, content_told.update_id
