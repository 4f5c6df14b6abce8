-- Operating systems in the inventory as of the instant, one row each.
SELECT DISTINCT os_type FROM lake_host WHERE known_at <= getvariable('as_of')
