-- Until when a session that begins may have begun long before, one row: ten minutes after what was told of presence first.
-- Who exports the last days, or installs a sensor, tells of all hosts that are up as if they had just come. In so many
-- that did not boot hardly any crashes, and the boots that follow would seem to be harmful. Null where no session is told.
-- Reads the kept table known_presence. What is told later than the first changes nothing.
SELECT min_by(online_from, (since_known, online_from)) + INTERVAL 10 MINUTE AS told_at
FROM known_presence WHERE NOT assumed
