-- One crash, one row; none when it is not known as of the instant. $crash_id.
SELECT
  crash_id, host_id, placed_at, os_type, domain, code, module, module_version, module_offset, frames,
  agent_version, os_build
FROM crashes WHERE crash_id = $crash_id
