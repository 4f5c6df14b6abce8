-- Rows whose record is no kind that we know, one row per record.
SELECT line, $reason AS reason FROM __rows__
