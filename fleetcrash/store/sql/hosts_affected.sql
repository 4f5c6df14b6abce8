-- Hosts that crashed and hosts that were online, in one row. Window and filters are those of the kept table selected_sums.
SELECT hosts_crashed, crashes, hosts_online, host_hours FROM selected_sums
