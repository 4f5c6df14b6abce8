-- Hosts that have, or had, an update as of the instant, one row per host, microseconds; to be kept as gate_exposed.
-- $update_id: the update. $most_share: of a ring, that one customer may stand for, unless it is more of the fleet.
-- ring: as the inventory has it, null where it is silent. weight: what the host counts in the bound, less than 1 where
-- its customer (else site, else group) has more than its part of the ring. place: hosts that may fall together (site,
-- else group, else customer); null: the host by itself.
-- installed_us, ended_us: of the last time that it was sent to the host; sending: which time, from 1; first_us: of
-- the first. It was sent again if the host had lost it meanwhile; or if the host was up and had last told of it more
-- than a day ago, which is as long as it is followed. What is told again at each boot, or every day, is the same
-- install, or no soak would end. Nor was it sent again to a host that was struck with it in the day before: a crash,
-- a boot and all installs told anew must not undo the crash.
-- $named, $named_until_us: other updates that incidents name, and when these incidents ended. shared_us: from when the
-- host had one of them as well, if it got this one before that; null: never. What befalls it from then on tells
-- nothing of this update.
-- Reads the kept tables known_history, known_presence and gate_events.
WITH held AS (
  SELECT
    host_id, exposed_from, exposed_until,
    lag(exposed_from) OVER in_order AS last_from, lag(exposed_until) OVER in_order AS last_until
  FROM known_history
  WHERE update_id = $update_id AND superseded_known IS NULL
    AND exposed_from < coalesce(exposed_until, 'infinity')
    AND exposed_from <= CAST(getvariable('as_of') AS TIMESTAMPTZ)
  WINDOW in_order AS (PARTITION BY host_id ORDER BY exposed_from)
),
struck AS (
  SELECT held.host_id, make_timestamptz(events.at_us) AS struck_at
  FROM held
  JOIN gate_events AS events
    ON events.host_id = held.host_id
    AND events.at_us >= CAST(epoch_us(held.exposed_from) AS BIGINT)
    AND events.at_us < CAST(epoch_us(least(held.exposed_from + INTERVAL 24 HOUR, held.exposed_until)) AS BIGINT)
),
resent AS (
  SELECT host_id, exposed_from FROM held
  WHERE last_from IS NOT NULL
    AND (
      last_until < exposed_from
      OR (
        -- An hour more, for what is told every day is not told to the minute.
        exposed_from > last_from + INTERVAL 25 HOUR
        AND EXISTS (
          SELECT 1 FROM known_presence
          WHERE known_presence.host_id = held.host_id AND NOT known_presence.assumed
            AND known_presence.online_from <= held.exposed_from - INTERVAL 30 MINUTE
            AND coalesce(known_presence.online_until, 'infinity') >= held.exposed_from
        )
      )
    )
    AND NOT EXISTS (
      SELECT 1 FROM struck
      WHERE struck.host_id = held.host_id
        AND struck.struck_at < held.exposed_from AND struck.struck_at >= held.exposed_from - INTERVAL 24 HOUR
    )
),
numbered AS (
  SELECT
    held.host_id, held.exposed_from, held.exposed_until,
    1 + count(resent.host_id) OVER (PARTITION BY held.host_id ORDER BY held.exposed_from) AS sending
  FROM held LEFT JOIN resent ON resent.host_id = held.host_id AND resent.exposed_from = held.exposed_from
),
firsts AS (SELECT host_id, min(exposed_from) AS first_at, max(sending) AS sending FROM numbered GROUP BY host_id),
exposed AS (
  SELECT
    numbered.host_id, numbered.sending, any_value(firsts.first_at) AS first_at, min(exposed_from) AS installed_at,
    nullif(max(coalesce(exposed_until, 'infinity')), 'infinity') AS ended_at
  FROM numbered JOIN firsts ON firsts.host_id = numbered.host_id AND firsts.sending = numbered.sending
  GROUP BY numbered.host_id, numbered.sending
),
named AS (
  SELECT unnest(CAST($named AS VARCHAR[])) AS update_id, unnest(CAST($named_until_us AS BIGINT[])) AS until_us
),
shared AS (
  SELECT exposed.host_id, min(greatest(history.exposed_from, exposed.installed_at)) AS shared_at
  FROM exposed
  JOIN known_history AS history ON history.host_id = exposed.host_id
  JOIN named ON named.update_id = history.update_id AND named.until_us > CAST(epoch_us(exposed.installed_at) AS BIGINT)
  WHERE history.superseded_known IS NULL
    AND history.exposed_from <= CAST(getvariable('as_of') AS TIMESTAMPTZ)
    AND coalesce(history.exposed_until, 'infinity') > greatest(history.exposed_from, exposed.installed_at)
  GROUP BY exposed.host_id
),
fleet AS (
  SELECT
    host_id, ring, region, os_type, coalesce(site, "group", customer) AS place,
    CASE WHEN customer IS NOT NULL THEN 'customer ' || customer WHEN site IS NOT NULL THEN 'site ' || site
      ELSE 'group ' || "group" END AS customer
  FROM hosts
),
shares AS (
  SELECT customer, count(*) / (SELECT count(*) FROM fleet) AS of_fleet
  FROM fleet WHERE customer IS NOT NULL GROUP BY customer
),
described AS (
  SELECT
    exposed.host_id, exposed.sending, exposed.first_at, exposed.installed_at, exposed.ended_at, fleet.ring, fleet.region,
    fleet.os_type, fleet.place, fleet.customer
  FROM exposed LEFT JOIN fleet ON fleet.host_id = exposed.host_id
),
counted AS (
  SELECT
    *,
    count(*) OVER (PARTITION BY ring) AS of_ring,
    count(*) OVER (PARTITION BY ring, customer) AS of_customer
  FROM described
)
SELECT
  counted.host_id, counted.ring, counted.region, counted.os_type, counted.place, counted.sending,
  CAST(epoch_us(counted.first_at) AS BIGINT) AS first_us,
  CAST(epoch_us(counted.installed_at) AS BIGINT) AS installed_us,
  CAST(epoch_us(counted.ended_at) AS BIGINT) AS ended_us,
  CAST(epoch_us(shared.shared_at) AS BIGINT) AS shared_us,
  CASE
    WHEN counted.customer IS NULL THEN 1.0
    ELSE least(1.0, greatest(CAST($most_share AS DOUBLE), shares.of_fleet) * of_ring / of_customer)
  END AS weight
FROM counted
LEFT JOIN shares ON shares.customer = counted.customer
LEFT JOIN shared ON shared.host_id = counted.host_id
