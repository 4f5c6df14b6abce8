-- Refused records (refused) as the quarantine keeps them, one row per record; without what is the same in every row.
SELECT line, reason, raw, CAST($now AS TIMESTAMPTZ) AS known_at
FROM refused JOIN (__raw__) AS arrived USING (line)
ORDER BY line
