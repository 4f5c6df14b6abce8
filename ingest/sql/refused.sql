-- Records of one kind that break a rule, one row per record.
SELECT line, reason FROM __judged__ WHERE reason IS NOT NULL
