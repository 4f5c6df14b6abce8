-- Lines of contested records that another record stands before, one row per record.
SELECT line FROM standings WHERE NOT is_stored
