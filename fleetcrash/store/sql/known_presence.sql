-- Presence, as the view presence tells it, to be kept: several questions of one look read it.
SELECT * FROM presence
