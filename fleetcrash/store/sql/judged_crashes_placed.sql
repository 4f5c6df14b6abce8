-- What judged_crashes says, from the kept table placed_crashes.
SELECT host_id, placed_at, exposed_at AS judged_at FROM placed_crashes
