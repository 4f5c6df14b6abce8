-- Sessions that ended and were not followed by another within ten minutes, one row per session: who left.
-- An OS patch restarts a host and may take longer; what ends in the hour after one, or after what the catalogue lacks and
-- may be one, is no news. So may a driver, firmware above all; only a server's silence is news all the same. Where no install
-- is told, nobody knows in which hour of the day after its release a patch restarted a host, and that day is left out. And a
-- server that had been up for half an hour and is back within a quarter of one was restarted by somebody, maybe with all others
-- of its region in one night.
-- A server's silence after a patch is news once it has lasted two hours, if clearly more than every tenth server that got the
-- patch, or of one model that did, was silent for as long: a row of its own, as the host may have counted until the patch was
-- told. There are fleets in which every fiftieth is never seen again and the patch does no harm: servers are put away at their
-- patching.
-- Some agents tell of a patch only at the boot that it made. Once three servers of an OS told of one within a quarter of an
-- hour after they came back, and most that tell of it did, a server of that OS that fell silent since its release, and had not
-- told of it, may be restarting for it as well, as long as others are: that is news once it has lasted two hours.
-- What the catalogue lacks is taken for a patch until it tells a kind; a silence that was no news until then is news then.
-- patched_known: when either was told of a session of whose end it was not known by the time that this was; null: never.
-- may_restart: a host that is not always on may be restarting, for a patch, a driver or what may be either: it is among those
-- that leave, or whoever got no such thing would seem to leave more than others; but nobody's witness.
-- in_time: told as it happened; of what is told in bulk later nobody counted who else was online.
-- A session that heartbeats tell of ends at the last one. Who told of an install before the third was missed was there until then.
-- cell: -1 for hosts that the inventory lacks. left_us: the end, or that install; gone_tick: when it was known; back_at: when the host was
-- known to be back, by whichever session was told first, null until then. since_boot: as in at_risk; boot_us: when the session
-- began, or half an hour earlier where it may have begun long before (see first_told).
-- Reads the kept tables known_presence, known_installs, known_spans and host_cell.
WITH followed AS (
  SELECT
    host_id, online_from, online_until, since_known, gone_known,
    online_from - CASE WHEN online_from <= (SELECT told_at FROM first_told) THEN INTERVAL 30 MINUTE ELSE INTERVAL 0 MINUTE END
      AS booted_at,
    lead(online_from) OVER of_host AS next_from,
    lead(since_known) OVER of_host AS next_known,
    min(greatest(online_from, since_known)) OVER later AS back_at
  FROM known_presence
  WHERE NOT assumed
  WINDOW
    of_host AS (PARTITION BY host_id ORDER BY online_from),
    later AS (PARTITION BY host_id ORDER BY online_from ROWS BETWEEN 1 FOLLOWING AND UNBOUNDED FOLLOWING)
),
-- An install is what the catalogue told of its update when the install was known, or else what it told first after that.
listed AS (
  SELECT
    known_installs.host_id, known_installs.update_id, known_installs.placed_at, known_installs.known_at,
    catalogue.kind, catalogue.released_at, catalogue.known_at AS told_known
  FROM known_installs
  LEFT JOIN catalogue
    ON catalogue.update_id = known_installs.update_id
    AND coalesce(catalogue.until_known > known_installs.known_at, true)
    AND (catalogue.is_first OR catalogue.known_at <= known_installs.known_at)
  WHERE coalesce(catalogue.kind IN ('os_patch', 'driver') OR catalogue.known_at > known_installs.known_at, true)
),
restarting AS (
  SELECT
    host_id, update_id, placed_at, known_at, CASE WHEN kind <> 'os_patch' THEN told_known END AS known_until,
    'os_patch' AS kind, kind AS told_kind, released_at, told_known
  FROM listed
  WHERE kind = 'os_patch' OR coalesce(told_known > known_at, true)
  UNION ALL
  SELECT host_id, update_id, placed_at, greatest(known_at, told_known), NULL, kind, kind, released_at, told_known
  FROM listed
  WHERE kind = 'driver'
),
patched AS (
  SELECT released_at, known_at, until_known FROM catalogue
  WHERE kind = 'os_patch' AND NOT EXISTS (FROM known_installs)
),
left_behind AS (
  SELECT followed.*, coalesce(known_spans.always_on, false) AS always_on, known_spans.os_type
  FROM followed
  LEFT JOIN known_spans
    ON known_spans.host_id = followed.host_id
    AND known_spans.valid_from <= followed.online_until
    AND coalesce(known_spans.valid_until, 'infinity') > followed.online_until
  WHERE followed.online_until IS NOT NULL
    AND (
      followed.next_from IS NULL
      OR followed.next_from > followed.online_until + INTERVAL 10 MINUTE
      OR followed.back_at > followed.gone_known
    )
),
explained AS (
  SELECT
    left_behind.host_id, left_behind.online_until,
    min(restarting.known_at) AS known_at,
    CASE WHEN count(restarting.known_until) = count(*) THEN max(restarting.known_until) END AS known_until
  FROM left_behind
  JOIN restarting
    ON restarting.host_id = left_behind.host_id
    AND restarting.placed_at <= left_behind.online_until
    AND restarting.placed_at > left_behind.online_until - INTERVAL 1 HOUR
    AND coalesce(restarting.known_until > left_behind.gone_known, true)  -- else it told its kind in time
  WHERE restarting.kind = 'os_patch' OR NOT left_behind.always_on
  GROUP BY left_behind.host_id, left_behind.online_until
),
patched_servers AS (
  SELECT
    restarting.update_id, known_spans.os_type, restarting.released_at,
    greatest(restarting.known_at, restarting.told_known) AS known_at,
    CASE
      WHEN restarting.placed_at < followed.next_from + INTERVAL 15 MINUTE
        AND followed.next_from BETWEEN followed.online_until + INTERVAL 5 MINUTE AND followed.online_until + INTERVAL 2 HOUR
        THEN greatest(restarting.known_at, restarting.told_known, followed.next_known)
    END AS boot_known
  FROM restarting
  JOIN known_spans
    ON known_spans.always_on
    AND known_spans.host_id = restarting.host_id
    AND known_spans.valid_from <= restarting.placed_at
    AND coalesce(known_spans.valid_until, 'infinity') > restarting.placed_at
  ASOF LEFT JOIN followed ON followed.host_id = restarting.host_id AND restarting.placed_at >= followed.next_from
  WHERE restarting.kind = 'os_patch' AND restarting.told_kind = 'os_patch'
),
told AS (
  SELECT update_id, os_type, known_at, 1 AS server, 0 AS booted FROM patched_servers
  UNION ALL
  SELECT update_id, os_type, boot_known, 0, 1 FROM patched_servers WHERE boot_known IS NOT NULL
),
told_at_boots AS (
  SELECT update_id, os_type, min(known_at) AS known_at
  FROM (
    SELECT update_id, os_type, known_at, sum(server) OVER by_then AS servers, sum(booted) OVER by_then AS booted
    FROM told
    WINDOW by_then AS (PARTITION BY update_id, os_type ORDER BY known_at)
  )
  WHERE booted >= 3 AND 2 * booted > servers
  GROUP BY update_id, os_type
),
patching AS (
  SELECT
    os_type, update_id, servers.released_at, servers.boot_known, greatest(servers.boot_known, told_at_boots.known_at) AS known_at
  FROM patched_servers AS servers JOIN told_at_boots USING (update_id, os_type)
  WHERE servers.boot_known IS NOT NULL
),
supposed AS (
  SELECT left_behind.host_id, left_behind.online_until, patching.known_at
  FROM left_behind
  ASOF JOIN patching
    ON patching.os_type = left_behind.os_type AND patching.boot_known >= left_behind.online_until - INTERVAL 1 DAY
  WHERE left_behind.always_on AND patching.released_at <= left_behind.online_until
    AND NOT EXISTS (
      SELECT 1 FROM restarting
      WHERE restarting.host_id = left_behind.host_id AND restarting.update_id = patching.update_id
        AND restarting.placed_at <= left_behind.online_until
    )
),
no_news AS (
  SELECT host_id, online_until, min(known_at) AS known_at
  FROM (SELECT host_id, online_until, known_at FROM explained UNION ALL SELECT host_id, online_until, known_at FROM supposed)
  GROUP BY host_id, online_until
),
restarted AS (
  SELECT
    restarting.update_id, restarting.host_id, restarting.known_until, known_spans.model, followed.online_until,
    greatest(
      followed.gone_known, restarting.known_at, coalesce(followed.online_until, restarting.placed_at) + INTERVAL 2 HOUR
    ) AS due_at,
    followed.online_until IS NOT NULL
      AND coalesce(followed.back_at > due_at, true) AS is_lost
  FROM restarting
  JOIN known_spans
    ON known_spans.always_on
    AND known_spans.host_id = restarting.host_id
    AND known_spans.valid_from <= restarting.placed_at
    AND coalesce(known_spans.valid_until, 'infinity') > restarting.placed_at
  LEFT JOIN followed
    ON followed.host_id = restarting.host_id
    AND followed.online_until >= restarting.placed_at
    AND followed.online_until < restarting.placed_at + INTERVAL 1 HOUR
  WHERE restarting.kind = 'os_patch'
),
counted AS (
  SELECT
    update_id, model, due_at,
    count(*) OVER by_then AS servers, count(*) FILTER (is_lost) OVER by_then AS lost,
    count(*) OVER of_model AS alike, count(*) FILTER (is_lost) OVER of_model AS alike_lost
  FROM restarted
  WHERE coalesce(due_at < known_until, true)
  WINDOW
    by_then AS (PARTITION BY update_id ORDER BY due_at),
    of_model AS (PARTITION BY update_id, model ORDER BY due_at)
),
harmful AS (
  SELECT update_id, model, min(due_at) AS known_at
  FROM (
    SELECT update_id, NULL AS model, due_at, servers, lost FROM counted
    UNION ALL
    SELECT update_id, model, due_at, alike, alike_lost FROM counted WHERE model IS NOT NULL
  )
  WHERE lost >= 5 AND lost > 0.1 * servers + 3 * sqrt(0.1 * 0.9 * servers)  -- three standard deviations
  GROUP BY update_id, model
),
lasting AS (
  SELECT
    restarted.host_id, restarted.online_until,
    min(greatest(restarted.due_at, harmful.known_at)) AS news_at
  FROM restarted JOIN harmful
    ON harmful.update_id = restarted.update_id AND coalesce(harmful.model = restarted.model, harmful.model IS NULL)
  WHERE is_lost AND coalesce(greatest(restarted.due_at, harmful.known_at) < restarted.known_until, true)
  GROUP BY restarted.host_id, restarted.online_until
),
judged AS (
  SELECT
    left_behind.*, no_news.known_at AS explained_known,
    coalesce(no_news.known_at <= left_behind.gone_known, false) AS may_restart
  FROM left_behind
  LEFT JOIN no_news ON no_news.host_id = left_behind.host_id AND no_news.online_until = left_behind.online_until
  WHERE NOT left_behind.always_on OR coalesce(no_news.known_at > left_behind.gone_known, true)
  UNION ALL
  SELECT left_behind.* REPLACE (lasting.news_at AS gone_known), NULL, false
  FROM left_behind JOIN lasting ON lasting.host_id = left_behind.host_id AND lasting.online_until = left_behind.online_until
  WHERE news_at <= CAST(getvariable('as_of') AS TIMESTAMPTZ)
    AND coalesce(back_at > news_at, true)
  UNION ALL
  SELECT left_behind.* REPLACE (explained.known_until AS gone_known), NULL, false
  FROM left_behind
  JOIN explained ON explained.host_id = left_behind.host_id AND explained.online_until = left_behind.online_until
  ANTI JOIN lasting ON lasting.host_id = left_behind.host_id AND lasting.online_until = left_behind.online_until
  WHERE left_behind.always_on AND explained.known_until > greatest(left_behind.gone_known, explained.known_at)
  UNION ALL
  SELECT left_behind.* REPLACE (greatest(gone_known, left_behind.online_until + INTERVAL 2 HOUR) AS gone_known), NULL, false
  FROM left_behind
  JOIN supposed ON supposed.host_id = left_behind.host_id AND supposed.online_until = left_behind.online_until
  ANTI JOIN explained ON explained.host_id = left_behind.host_id AND explained.online_until = left_behind.online_until
  WHERE left_behind.online_until + INTERVAL 2 HOUR <= CAST(getvariable('as_of') AS TIMESTAMPTZ)
    AND coalesce(back_at > left_behind.online_until + INTERVAL 2 HOUR, true)
),
still_there AS (
  SELECT judged.host_id, judged.online_until, max(known_installs.placed_at) AS until_at
  FROM judged
  JOIN known_installs
    ON known_installs.host_id = judged.host_id
    AND known_installs.placed_at > judged.online_until
    AND known_installs.placed_at <= judged.online_until + INTERVAL 750 SECOND
    AND known_installs.known_at <= judged.gone_known
    AND coalesce(known_installs.placed_at < judged.next_from, true)
  WHERE EXISTS (
    SELECT 1 FROM lake_heartbeat
    WHERE lake_heartbeat.host_id = judged.host_id AND least(lake_heartbeat."at", lake_heartbeat.known_at) = judged.online_until
  )
  GROUP BY judged.host_id, judged.online_until
)
SELECT
  followed.host_id, followed.online_until, followed.gone_known,
  least(followed.explained_known, CASE
    WHEN followed.always_on AND followed.next_from <= followed.online_until + INTERVAL 15 MINUTE
      AND followed.online_until >= followed.booted_at + INTERVAL 30 MINUTE  -- else it may be in a loop
      THEN greatest(followed.next_from, followed.next_known, followed.gone_known + INTERVAL 1 MICROSECOND)
  END) AS patched_known,
  followed.back_at,
  followed.always_on, followed.may_restart,
  followed.since_known <= followed.online_until AND followed.gone_known <= followed.online_until + INTERVAL 30 MINUTE AS in_time,
  coalesce(host_cell.cell, -1) AS cell,
  CAST(epoch_us(coalesce(still_there.until_at, followed.online_until)) AS BIGINT) AS left_us,
  CAST(epoch_us(followed.booted_at) AS BIGINT) AS boot_us,
  (CAST(epoch_us(followed.gone_known) AS BIGINT) + 59999999) // 60000000 AS gone_tick,
  CASE
    WHEN followed.online_until < followed.booted_at + INTERVAL 10 MINUTE THEN 0
    WHEN followed.online_until < followed.booted_at + INTERVAL 30 MINUTE THEN 1
    WHEN followed.online_until < followed.booted_at + INTERVAL 12 HOUR THEN 2
    ELSE 3
  END AS since_boot
FROM judged AS followed
LEFT JOIN still_there ON still_there.host_id = followed.host_id AND still_there.online_until = followed.online_until
LEFT JOIN host_cell
  ON host_cell.host_id = followed.host_id
  AND host_cell.from_us <= CAST(epoch_us(followed.online_until) AS BIGINT)
  AND coalesce(host_cell.until_us, 9223372036854775807) > CAST(epoch_us(followed.online_until) AS BIGINT)
WHERE NOT EXISTS (
  SELECT 1 FROM patched
  WHERE patched.known_at <= followed.gone_known AND coalesce(patched.until_known > followed.gone_known, true)
    AND patched.released_at <= followed.online_until
    AND patched.released_at > followed.online_until - INTERVAL 24 HOUR
)
