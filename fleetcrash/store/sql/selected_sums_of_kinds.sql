-- The same as selected_sums where the filters ask for nothing but what hosts are.
-- Reads the kept tables fleet_sums and selected_kinds.
SELECT
  CAST(coalesce(sum(hosts_crashed) FILTER (host IS NULL), 0) AS BIGINT)
    + count(DISTINCT host) FILTER (hosts_crashed > 0) AS hosts_crashed,
  CAST(coalesce(sum(crashes), 0) AS BIGINT) AS crashes,
  CAST(coalesce(sum(hosts_online) FILTER (host IS NULL), 0) AS BIGINT)
    + count(DISTINCT host) FILTER (hosts_online > 0) AS hosts_online,
  coalesce(sum(host_hours), 0) AS host_hours
FROM fleet_sums SEMI JOIN selected_kinds USING (kind)
