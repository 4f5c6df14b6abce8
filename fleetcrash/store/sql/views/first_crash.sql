-- The first crash that is no stray, one row; nulls without a crash.
-- placed_at: where the earliest of them was put. known_at: when the first of them was known.
-- Where no crash was told for a year, those before it are strays if they are one alone, or a tenth of all or fewer: of clocks
-- that stood at 1970. Else hosts would count as online and without a crash for all the years since.
WITH told AS (
  SELECT min(known_at) AS known_at, min(placed_at) AS placed_at, count(*) AS crashes FROM crashes
  GROUP BY CAST(epoch_us(known_at) AS BIGINT) // 86400000000
),
parted AS (
  SELECT
    *, coalesce(known_at > lag(known_at) OVER (ORDER BY known_at) + INTERVAL 365 DAY, true) AS opens,
    sum(crashes) OVER () AS all_crashes
  FROM told
),
numbered AS (
  SELECT *, count(*) FILTER (opens) OVER (ORDER BY known_at ROWS UNBOUNDED PRECEDING) AS spell FROM parted
),
counted AS (
  SELECT *, sum(crashes) OVER (PARTITION BY spell) > greatest(0.1 * all_crashes, 1) AS are_many FROM numbered
),
begun AS (
  SELECT coalesce(min(spell) FILTER (are_many), 1) AS spell FROM counted
)
SELECT min(placed_at) AS placed_at, min(known_at) AS known_at
FROM counted WHERE spell >= (SELECT spell FROM begun)
