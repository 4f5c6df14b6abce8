"""The lake that ``bench.dashboard`` looks at: four weeks of crashes, an update a day, everybody online all the time."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from fleetcrash.attribution.reporting.impact import State
from fleetcrash.store import Lake
from ingest.load import append_tables

NOW = datetime(2024, 7, 20, tzinfo=UTC)
DAYS = 28
_CHUNK = 1_000_000
_FAMILIES = 400
AGENT_VERSIONS = 8

_CRASHES = """
SELECT
  'crash-' || n AS crash_id, 'host-' || (hash(n) % $hosts) AS host_id,
  CAST($now AS TIMESTAMPTZ) - to_milliseconds(CAST(hash(n, 1) % ($days * CAST(86400000 AS BIGINT)) AS BIGINT))
    AS occurred_at,
  CASE WHEN hash(n) % $hosts % 10 < 8 THEN 'windows' WHEN hash(n) % $hosts % 10 = 8 THEN 'darwin' ELSE 'linux' END
    AS os_type,
  '7.' || (9 + hash(n) % $hosts % $versions) || '.100' AS agent_version,
  CASE WHEN family % 2 = 0 THEN '0x50' ELSE '0x7e' END AS code,
  'driver-' || family || '.sys' AS module,
  CAST(family * 16 AS BIGINT) AS module_offset,
  [
    {'module': 'nt', 'function': 'KeBugCheckEx', 'offset': CAST(1 AS BIGINT)},
    {'module': 'driver-' || family || '.sys', 'function': NULL, 'offset': CAST(family * 16 AS BIGINT)}
  ] AS frames
FROM (SELECT range AS n, CAST(floor($families * pow((hash(range, 2) % 100000) / 1e5, 3)) AS BIGINT) AS family
      FROM range(CAST($since AS BIGINT), CAST($until AS BIGINT)))
"""
_HOSTS = """
SELECT
  'host-' || range AS host_id,
  CASE WHEN range % 10 < 8 THEN 'windows' WHEN range % 10 = 8 THEN 'darwin' ELSE 'linux' END AS os_type,
  '7.' || (9 + range % $versions) || '.100' AS agent_version,
  'model-' || range % 20 AS model, 'region-' || range % 6 AS region
FROM range(CAST($hosts AS BIGINT))
"""
_SESSIONS = """
SELECT 'host-' || range AS host_id, CAST($now AS TIMESTAMPTZ) - to_days(CAST($days AS INTEGER)) AS online_from
FROM range(CAST($hosts AS BIGINT))
"""
_INSTALLS = """
SELECT
  'host-' || range AS host_id, 'content-' || day AS update_id,
  CAST($now AS TIMESTAMPTZ) - to_days(CAST($days - day AS INTEGER)) + to_seconds(hash(range, day) % 7200) AS applied_at
FROM range(CAST($hosts AS BIGINT)), range(CAST($days AS BIGINT)) AS days(day)
"""
_UPDATES = """
SELECT 'content-' || range AS update_id, 'content' AS kind, '291' AS channel,
  CAST($now AS TIMESTAMPTZ) - to_days(CAST($days - range AS INTEGER)) AS released_at
FROM range(CAST($days AS BIGINT))
"""


def large_lake(root: Path, crashes: int, hosts: int) -> Lake:
    """A lake with so many crashes of so many hosts, an update a day, everybody online all the time."""
    lake = Lake.create(root)
    con = duckdb.connect()
    con.execute("SET TimeZone = 'UTC'")
    known = {"now": NOW, "days": DAYS, "hosts": hosts, "families": _FAMILIES, "versions": AGENT_VERSIONS}
    for kind, query in (("host", _HOSTS), ("session", _SESSIONS), ("update", _UPDATES), ("install", _INSTALLS)):
        _append(lake, con, kind, query, known)
    for since in range(0, crashes, _CHUNK):
        _append(lake, con, "crash", _CRASHES, {**known, "since": since, "until": min(crashes, since + _CHUNK)})
    con.close()
    _judge(lake)
    return lake


def _judge(lake: Lake) -> None:
    """Have the lake say that its newest update is to blame, as a monitor does."""
    update_id, alarm = f"content-{DAYS - 1}", f"{NOW - timedelta(hours=20):%Y-%m-%dT%H:%M:%SZ}"
    found = {
        "incident_id": "inc-0001",
        "alarm_at": alarm,
        "named_at": alarm,
        "closed_at": None,
        "verdict": "update",
        "update_id": update_id,
        "update_kind": "content",
        "cause": None,
        "candidates": [{"update_id": update_id, "probability": 0.99}],
        "condition": {"os_type": "windows"},
        "evidence": {
            "crashes": 1000,
            "hosts_crashed": 900,
            "hosts_exposed": 320_000,
            "hosts_dark": 0,
            "rate_ratio": {"low": 2.0, "estimate": 3.0, "high": 4.0},
            "log_evidence": 57.1,
        },
        "impact": dict.fromkeys(("exposed", *State), 0),
        "summary": f"{update_id} crashes Windows hosts.",
        "history": [{"at": alarm, "verdict": "update", "update_id": update_id, "condition": {"os_type": "windows"}}],
    }
    as_of = f"{NOW:%Y-%m-%dT%H:%M:%SZ}"
    sources = {"exposure_source": "installs", "presence_source": "sessions"}
    document = {"schema": 1, "as_of": as_of, **sources, "incidents": [found]}
    row = {"as_of": NOW, "ticked_at": NOW, "document": json.dumps(document), "batch_id": "tick"}
    lake.append("incident", pa.Table.from_pylist([row], schema=lake.schemas["incident"]), batch_id="tick")


def _append(lake: Lake, con: duckdb.DuckDBPyConnection, kind: str, query: str, known: dict[str, Any]) -> None:
    asked = {name: value for name, value in known.items() if f"${name}" in query}
    rows = con.sql(query, params=asked).to_arrow_table()
    append_tables(lake, {kind: rows}, batch_id=f"{kind} {known.get('since', 0)}", source="bench", now=NOW)
