-- Lines as they came, one row per line: number, bytes without the newline.
SELECT line, bytes AS raw FROM whole_lines WHERE line > 0
