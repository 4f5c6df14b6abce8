-- The updates that hosts were exposed to, as exposures_in_window has them, one row per update.
-- update_number: a number that stands for the update in tables of many rows; by the chance of two hosts of one number, see
-- online_stretches, two updates of one number count as one.
-- channel: null where the catalogue does not name the update. Reads the kept table exposures_in_window.
SELECT hash(update_id) AS update_number, update_id, updates.channel
FROM (SELECT DISTINCT update_id FROM exposures_in_window) AS exposed LEFT JOIN updates USING (update_id)
