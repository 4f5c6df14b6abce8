-- The same as selected_lately where the filters ask for nothing but what hosts are.
-- Reads the kept tables fleet_sums and selected_kinds.
SELECT CAST(coalesce(sum(crashes_lately), 0) AS BIGINT) AS crashes, coalesce(sum(host_hours_lately), 0) AS host_hours
FROM fleet_sums SEMI JOIN selected_kinds USING (kind)
