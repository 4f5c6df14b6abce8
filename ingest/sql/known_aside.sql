-- Refused records (refused) that a batch in the books has put aside before, one row per place in the table. What has
-- but the name of its source in common ($but_of), such as stdin, may be another record.
SELECT DISTINCT place FROM refused
JOIN (
  SELECT source, line, raw FROM lake_quarantine
  WHERE source <> $but_of AND source IN (SELECT source FROM refused) AND batch_id IN (SELECT batch_id FROM lake_batch)
) AS aside USING (source, line, raw)
