-- Crashes and host-hours online in the last hour of the window, in one row. Window and filters are those of the kept table
-- selected_lately.
SELECT crashes, host_hours FROM selected_lately
