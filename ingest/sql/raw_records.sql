-- Records of CSV under their header, one row per record: number of the line, bytes; each reads as a small file.
SELECT line, CAST($header AS BLOB) || bytes AS raw FROM csv_records WHERE line > 0
