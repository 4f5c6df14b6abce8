-- Lines that are no record of a known kind, one row per line.
SELECT line, reason FROM staged WHERE reason IS NOT NULL
