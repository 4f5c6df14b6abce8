-- The same as selected_edges where the filters ask for nothing but what hosts are.
-- Reads the kept tables fleet_edges and selected_kinds.
SELECT kind, bucket, step, into_s, crashes FROM fleet_edges SEMI JOIN selected_kinds USING (kind)
