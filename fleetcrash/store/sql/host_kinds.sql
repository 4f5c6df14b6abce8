-- The kinds of hosts there are or were: what each number of attributes stands for, one row per kind. Of few attributes hosts
-- are of few kinds, so that a filter looks at these, and what is kept of a host-hour or a crash is a number.
-- Where the rows are is found first, and the attributes of those alone are read.
-- Reads the kept tables online_stretches and placed_crashes.
SELECT kind, os_type, os_build, agent_version, model, region, ring, site FROM online_stretches
WHERE rowid IN (SELECT min(rowid) FROM online_stretches GROUP BY kind)
UNION
SELECT kind, os_type, os_build, agent_version, model, region, ring, site FROM placed_crashes
WHERE rowid IN (SELECT min(rowid) FROM placed_crashes GROUP BY kind)
