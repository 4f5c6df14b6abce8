-- Records of CSV that are refused before any rule for their fields, one row per record.
SELECT line, reason FROM csv_refused
