-- Records of a batch that were put aside, one row per reason.
SELECT reason, count(*) AS refused FROM lake_quarantine WHERE batch_id = $batch_id GROUP BY reason
