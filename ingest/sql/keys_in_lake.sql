-- Hashes of the keys of one kind in the lake, one row per row.
SELECT hash(__key__) AS key_hash FROM __lake__
