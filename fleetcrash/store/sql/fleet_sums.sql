-- Crashes, host-hours online and hosts in the window, by kind of host, so that a filter by what hosts are adds up few rows.
-- One row per kind of the hosts that were of this kind alone, with host null; and one per host and kind of those that were
-- of several, as after an upgrade: they count once, whichever kinds are added up.
-- $since, $until: half-open, UTC, never past the instant. host, kind: as in online_stretches.
-- crashes_lately, host_hours_lately: of the last hour before $until.
-- Reads the kept tables online_stretches and placed_crashes.
WITH lately AS (SELECT CAST($until AS TIMESTAMPTZ) - INTERVAL 1 HOUR AS since),
clipped AS (
  SELECT
    host, kind,
    greatest(online_from, CAST($since AS TIMESTAMPTZ)) AS online_from,
    least(online_until, CAST($until AS TIMESTAMPTZ), getvariable('as_of')) AS online_until
  FROM online_stretches
  WHERE online_until > CAST($since AS TIMESTAMPTZ)
    AND online_from < least(CAST($until AS TIMESTAMPTZ), getvariable('as_of'))
),
listed AS (
  SELECT
    host, kind, 1 AS hosts_online, 0 AS crashes, 0 AS crashes_lately,
    epoch(online_until) - epoch(online_from) AS online_s,
    greatest(epoch(online_until) - epoch(greatest(online_from, since)), 0) AS lately_s
  FROM clipped, lately
  UNION ALL
  SELECT host, kind, 0, 1, CAST(placed_at >= since AS INTEGER), 0, 0 FROM placed_crashes, lately
  WHERE placed_at >= CAST($since AS TIMESTAMPTZ) AND placed_at < CAST($until AS TIMESTAMPTZ)
),
of_kind AS (
  SELECT
    host, kind, max(hosts_online) AS hosts_online, CAST(sum(crashes) > 0 AS BIGINT) AS hosts_crashed, sum(crashes) AS crashes,
    sum(crashes_lately) AS crashes_lately, sum(online_s) AS online_s, sum(lately_s) AS lately_s
  FROM listed GROUP BY host, kind
),
of_several AS (SELECT host FROM of_kind GROUP BY host HAVING count(*) > 1),
placed AS (
  SELECT *, CAST(NULL AS UBIGINT) AS counted_by FROM of_kind ANTI JOIN of_several USING (host)
  UNION ALL
  SELECT *, host FROM of_kind SEMI JOIN of_several USING (host)
)
SELECT
  kind, counted_by AS host,
  CAST(sum(hosts_crashed) AS BIGINT) AS hosts_crashed, CAST(sum(crashes) AS BIGINT) AS crashes,
  CAST(sum(hosts_online) AS BIGINT) AS hosts_online, sum(online_s) / 3600.0 AS host_hours,
  CAST(sum(crashes_lately) AS BIGINT) AS crashes_lately, sum(lately_s) / 3600.0 AS host_hours_lately
FROM placed GROUP BY kind, counted_by
