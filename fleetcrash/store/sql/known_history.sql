-- What was known of exposure, as the view exposure_history tells it, to be kept: several questions of one look read it.
SELECT * FROM exposure_history
