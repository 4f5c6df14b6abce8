-- Installs and removals, as the view installs tells them, to be kept: several questions of one look read them.
SELECT * FROM installs
