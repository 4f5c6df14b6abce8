-- Exposed hosts that crashed in the day before they got the update, one row per host, microseconds; to be kept as gate_lately.
-- last_us: the last time before the install. before_us: the time before that; null without one.
-- Reads the kept tables gate_exposed and gate_crashes.
SELECT exposed.host_id, crashes.at_us AS last_us, crashes.last_us AS before_us
FROM gate_exposed AS exposed JOIN gate_crashes AS crashes ON crashes.host_id = exposed.host_id
WHERE crashes.at_us < exposed.installed_us
  AND crashes.at_us >= exposed.installed_us - 86400000000
  AND coalesce(crashes.next_us >= exposed.installed_us, true)
