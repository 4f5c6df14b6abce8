-- Records of one kind with our clock as received_at, one row per record. A received_at of the sender's that is no time
-- stays null and given, and so breaks its rule.
SELECT
  fields.* REPLACE (
    CASE WHEN NOT "received_at given" OR received_at IS NOT NULL THEN stamps.stamp END AS received_at,
    true AS "received_at given"
  )
FROM (__fields__) AS fields JOIN stamps USING (line)
