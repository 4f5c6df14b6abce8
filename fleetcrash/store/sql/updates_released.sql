-- Updates of the catalogue, one row per update, oldest release first.
SELECT update_id, kind, channel, version, released_at, reverted_at FROM updates ORDER BY released_at, update_id
