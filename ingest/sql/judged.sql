-- Rows of one kind, one row per record read: its number in the source, the stored columns, and the reason why it is
-- not accepted, null when it is. __given__ yields per column the value that the lake would store (null where the form is
-- wrong) and "<column> given", whether the record said anything; __reason__ is a CASE over the rules in their order.
WITH given AS (__given__)
SELECT
  line,
  __reason__ AS reason,
  __stored__,
  __known_at__ AS known_at,
  hash(__key__) AS key_hash
FROM given
