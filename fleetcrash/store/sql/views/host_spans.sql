-- What a host was, one row per host and stretch of unchanged attributes, half-open [valid_from, valid_until).
-- A change is a row of the inventory, an agent install (agent_version) or an OS patch (os_build).
-- An update whose version is not written as the host's own row of the inventory writes it, v44 beside 7.11.18110, tells
-- nothing of the host: some catalogues number updates by themselves.
-- An install brings what the catalogue told of its update when the install was known, or else what it told first after that.
-- Nothing is applied backwards: before its first row a host has no span. valid_until is null for the last;
-- known_from: from when we knew of the change; of an install, from when the catalogue told what it brings as well.
WITH changed AS (
  SELECT
    host_id, known_at AS valid_from, known_at AS known_from, 0 AS rank, true AS whole,
    CAST(to_json(row_of_host) AS VARCHAR) AS tie,
    os_type, os_version, os_build, agent_version, model, region, ring, "group", site, customer, always_on
  FROM lake_host AS row_of_host WHERE known_at <= getvariable('as_of')
  UNION ALL BY NAME
  SELECT
    installs.host_id, installs.placed_at AS valid_from, greatest(installs.known_at, catalogue.known_at) AS known_from,
    1 AS rank, false AS whole, installs.update_id AS tie,
    CASE WHEN catalogue.kind = 'agent' THEN catalogue.version END AS agent_version,
    CASE WHEN catalogue.kind = 'os_patch' THEN catalogue.version END AS os_build
  FROM installs
  JOIN catalogue
    ON catalogue.update_id = installs.update_id
    AND coalesce(catalogue.until_known > installs.known_at, true)
    AND (catalogue.is_first OR catalogue.known_at <= installs.known_at)
  WHERE installs.action = 'installed' AND catalogue.kind IN ('agent', 'os_patch') AND catalogue.version IS NOT NULL
),
numbered AS (
  SELECT
    *,
    count(*) FILTER (whole) OVER (
      PARTITION BY host_id ORDER BY valid_from, rank, tie DESC ROWS UNBOUNDED PRECEDING
    ) AS row_of_inventory
  FROM changed
),
told AS (
  SELECT * REPLACE (
    CASE WHEN coalesce(regexp_extract(agent_version, '^\D*') = regexp_extract(first_value(agent_version) OVER one_row, '^\D*'), true)
      THEN agent_version END AS agent_version,
    CASE WHEN coalesce(regexp_extract(os_build, '^\D*') = regexp_extract(first_value(os_build) OVER one_row, '^\D*'), true)
      THEN os_build END AS os_build
  )
  FROM numbered
  WINDOW one_row AS (PARTITION BY host_id, row_of_inventory ORDER BY valid_from, rank, tie DESC)
),
filled AS (
  SELECT
    host_id, valid_from,
    lead(valid_from) OVER whole_host AS valid_until,
    known_from,
    row_of_inventory,
    last_value(os_type IGNORE NULLS) OVER one_row AS os_type,
    last_value(os_version IGNORE NULLS) OVER one_row AS os_version,
    last_value(os_build IGNORE NULLS) OVER one_row AS os_build,
    last_value(agent_version IGNORE NULLS) OVER one_row AS agent_version,
    last_value(model IGNORE NULLS) OVER one_row AS model,
    last_value(region IGNORE NULLS) OVER one_row AS region,
    last_value(ring IGNORE NULLS) OVER one_row AS ring,
    last_value("group" IGNORE NULLS) OVER one_row AS "group",
    last_value(site IGNORE NULLS) OVER one_row AS site,
    last_value(customer IGNORE NULLS) OVER one_row AS customer,
    last_value(always_on IGNORE NULLS) OVER one_row AS always_on
  FROM told
  WINDOW
    whole_host AS (PARTITION BY host_id ORDER BY valid_from, rank, tie DESC),
    one_row AS (
      PARTITION BY host_id, row_of_inventory ORDER BY valid_from, rank, tie DESC
      ROWS UNBOUNDED PRECEDING
    )
)
SELECT * EXCLUDE (row_of_inventory) FROM filled
WHERE row_of_inventory > 0 AND valid_from < coalesce(valid_until, 'infinity')
