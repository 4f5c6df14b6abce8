-- Hosts behind some events, one row per host, by name: what happened to each, counted as in crashes_behind_events.
-- $events: numbers of the events. $until: null while it goes on.
-- crashed_at, dark_at: the first time, null for never; last_dark_us: the last time; last_hit_us: of either. The attributes are as
-- its last crash tells them, for hosts that the inventory lacks.
-- Reads the kept table events.
WITH mine AS (
  SELECT host_id, outcome, at_us FROM events WHERE event IN (SELECT unnest(CAST($events AS BIGINT[])))
),
struck AS (
  SELECT host_id, min(at_us) AS from_us FROM mine WHERE outcome = 0 GROUP BY host_id
),
crashed AS (
  SELECT
    struck.host_id, min(crashes.placed_at) AS crashed_at, max(crashes.placed_at) AS last_crash_at, count(*) AS crashes,
    max_by(crashes.os_type, crashes.placed_at) AS os_type, max_by(crashes.os_version, crashes.placed_at) AS os_version,
    max_by(crashes.os_build, crashes.placed_at) AS os_build, max_by(crashes.agent_version, crashes.placed_at) AS agent_version
  FROM struck
  JOIN crashes ON crashes.host_id = struck.host_id AND CAST(epoch_us(crashes.placed_at) AS BIGINT) >= struck.from_us
  WHERE crashes.placed_at <= coalesce(CAST($until AS TIMESTAMPTZ), 'infinity')
  GROUP BY struck.host_id
),
silenced AS (
  SELECT host_id, min(at_us) AS first_us, max(at_us) AS last_us FROM mine WHERE outcome = 1 GROUP BY host_id
)
SELECT
  host_id, crashed.crashed_at, coalesce(crashed.crashes, 0) AS crashes, make_timestamptz(silenced.first_us) AS dark_at,
  silenced.last_us AS last_dark_us,
  greatest(CAST(epoch_us(crashed.last_crash_at) AS BIGINT), silenced.last_us) AS last_hit_us,
  crashed.os_type, crashed.os_version, crashed.os_build, crashed.agent_version
FROM crashed FULL JOIN silenced USING (host_id)
ORDER BY host_id
