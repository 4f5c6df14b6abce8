-- Lines as they came, one row per line: number, bytes without the newline.
SELECT line, bytes[:octet_length(bytes) - 1] AS raw FROM arrived
