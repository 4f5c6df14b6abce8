-- When the first crash was known that is no stray, one row; null without a crash.
-- Where no crash was told for a year, those before it are strays if they are one alone, or a tenth of all or fewer:
-- of clocks that stood at 1970. Else hosts would count as online and without a crash for all the years since.
-- Reports are counted, by the day: to find those of one crash takes ten times as long.
WITH told AS (
  SELECT min(known_at) AS known_at, count(*) AS reports, min(crash_id) AS least_id, max(crash_id) AS greatest_id
  FROM lake_crash
  WHERE known_at <= getvariable('as_of')
  GROUP BY CAST(epoch_us(known_at) AS BIGINT) // 86400000000
),
parted AS (
  SELECT
    *, coalesce(known_at > lag(known_at) OVER (ORDER BY known_at) + INTERVAL 365 DAY, true) AS opens,
    sum(reports) OVER () AS all_reports
  FROM told
),
numbered AS (
  SELECT *, count(*) FILTER (opens) OVER (ORDER BY known_at ROWS UNBOUNDED PRECEDING) AS spell FROM parted
),
counted AS (
  SELECT
    known_at,
    sum(reports) OVER of_spell > 0.1 * all_reports
      AND min(least_id) OVER of_spell < max(greatest_id) OVER of_spell AS are_many
  FROM numbered
  WINDOW of_spell AS (PARTITION BY spell)
)
SELECT coalesce(min(known_at) FILTER (are_many), min(known_at)) AS known_at FROM counted
