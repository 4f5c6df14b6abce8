-- The same as selected_time where the filters ask for one update, and for no channel: a host's exposures to one update never
-- overlap, as a later install of it ends the exposure by an earlier one.
-- $since: start of the window, UTC. $updates: list of the one update.
-- Reads the kept tables exposed_time, which ends with the window and may begin before it, and selected_kinds.
SELECT host, kind, greatest(online_from, CAST($since AS TIMESTAMPTZ)) AS online_from, online_until
FROM exposed_time SEMI JOIN selected_kinds USING (kind)
WHERE update_number = hash(CAST($updates AS VARCHAR[])[1]) AND online_until > CAST($since AS TIMESTAMPTZ)
