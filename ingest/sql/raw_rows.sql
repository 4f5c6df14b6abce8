-- Rows as JSON objects, one row per record: number, bytes; times in RFC 3339, so that they can be read as NDJSON.
SELECT line, encode(CAST(json_object(__shown__) AS VARCHAR)) AS raw FROM __rows__
