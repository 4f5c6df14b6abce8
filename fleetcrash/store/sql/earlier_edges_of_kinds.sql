-- The same as earlier_edges where the filters ask for nothing but what hosts are.
-- Reads fleet_hours, which is kept as fleet_edges is, by hour of that window, and the kept table selected_kinds.
SELECT kind, bucket, step, into_s, crashes FROM fleet_hours SEMI JOIN selected_kinds USING (kind)
