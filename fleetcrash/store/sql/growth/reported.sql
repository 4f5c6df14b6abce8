-- All reports of the crashes that changed between two looks, one row per report.
-- added_crash: rows of the files that came since; earlier_crash: of those that were there. What came is seldom told of a crash
-- that was known, and then no more than the ids of the earlier files is read: there is nothing to join the rest with.
-- Reads the table changed_crashes.
WITH told_before AS (
  SELECT DISTINCT crash_id FROM earlier_crash SEMI JOIN changed_crashes USING (crash_id)
)
SELECT * FROM added_crash SEMI JOIN changed_crashes USING (crash_id)
UNION ALL
SELECT * FROM earlier_crash SEMI JOIN told_before USING (crash_id)
