-- Exposure known as of the instant, one row per install: host, update, half-open [exposed_from, exposed_until).
-- It lasts until the update is removed or a later install of the same kind and channel takes its place;
-- exposed_until is null while it lasts, until_known is when we knew of the end.
SELECT host_id, update_id, known_at, exposed_from, exposed_until, since_known AS until_known
FROM exposure_history
WHERE superseded_known IS NULL AND exposed_from < coalesce(exposed_until, 'infinity')
