-- Stretches online known as of the instant, one row per host and online_from: those that hosts tell.
SELECT host_id, online_from, since_known, assumed, online_until, gone_known FROM presence_told
