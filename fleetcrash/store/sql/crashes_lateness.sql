-- How late crashes come to be known, one row: within late_s seconds of those that became known in the two hours to the instant nine
-- in ten were, not counting backlogs of more than an hour; null without any.
SELECT quantile_cont(epoch(known_at) - epoch(placed_at), 0.9) AS late_s
FROM crashes
WHERE known_at > getvariable('as_of') - INTERVAL 2 HOUR AND known_at <= placed_at + INTERVAL 1 HOUR
