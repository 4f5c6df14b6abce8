-- Rows of one kind, one row per record. A column cannot name a key twice, as an object can.
SELECT line, false AS repeats, __fields__ FROM (SELECT __columns__ FROM __rows__)
