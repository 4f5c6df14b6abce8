-- What exposure and presence rest on as of the instant, one row.
SELECT
  CASE
    WHEN EXISTS (SELECT 1 FROM lake_install WHERE known_at <= getvariable('as_of')) THEN 'installs'
    WHEN EXISTS (SELECT 1 FROM lake_update WHERE known_at <= getvariable('as_of')) THEN 'release'
    ELSE 'none'
  END AS exposure_source,
  CASE
    WHEN EXISTS (SELECT 1 FROM lake_session WHERE known_at <= getvariable('as_of'))
      OR EXISTS (SELECT 1 FROM lake_heartbeat WHERE known_at <= getvariable('as_of')) THEN 'sessions'
    ELSE 'assumed'
  END AS presence_source
