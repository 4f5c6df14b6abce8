-- How often and when each shape was seen, one row per shape. Shapes are few beside crashes, and whatever can be added up of
-- them is: what asks for a cluster then reads no crash but those of its hosts.
-- first_in_day, last_before_day: the crashes around the instant 24 hours ago, null without one.
-- Reads the kept table shaped_crashes.
SELECT
  shape, any_value(os_type) AS os_type, count(*) AS crashes, min(placed_at) AS first_seen, max(placed_at) AS last_seen,
  min(placed_at) FILTER (placed_at > getvariable('as_of') - INTERVAL 24 HOUR) AS first_in_day,
  max(placed_at) FILTER (placed_at <= getvariable('as_of') - INTERVAL 24 HOUR) AS last_before_day
FROM shaped_crashes GROUP BY shape
