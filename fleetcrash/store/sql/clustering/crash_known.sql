-- One crash, one row; none when it is not known as of the instant. $crash_id.
-- Of two reports under one name the one that counts, by the rule of the view crashes; that view looks at every crash.
SELECT
  crash_id, host_id, least(occurred_at, known_at) AS placed_at, os_type, domain, code, module, module_version,
  module_offset, frames, agent_version, os_build,
  CASE WHEN domain <> 'kernel' THEN coalesce(tags['exe'], tags['process'], tags['comm']) END AS program
FROM lake_crash AS told
WHERE crash_id = $crash_id AND known_at <= getvariable('as_of')
ORDER BY known_at, CAST(to_json(told) AS VARCHAR) LIMIT 1
