"""A small lake: sixty hosts, a day, and an update that crashes Windows with agent 7.11 and later."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow as pa

from fleetcrash.records import COLUMNS, KNOWN_FROM_THE_START, OWN_TIME, TIME, Kind, table_columns
from fleetcrash.store import Lake

START = datetime(2026, 3, 4, tzinfo=UTC)
RELEASED = START + timedelta(hours=12)
NOW = START + timedelta(hours=14)
GUILTY = "content-291"
INNOCENT = "content-290"
VERSIONS = ("7.9.100", "7.11.200", "7.16.300")

Files = Mapping[Path, bytes]


def append_rows(lake: Lake, table: str, rows: Iterable[Mapping[str, Any]], *, batch_id: str = "tests") -> None:
    """Put rows into a table as the loader does: typed, with ``known_at`` and the contract's defaults."""
    kind = Kind(table) if table in set(Kind) else None
    times = {column.name for column in table_columns()[table] if column.type == TIME}
    defaults = {column.name: column.default for column in COLUMNS[kind] if column.default is not None} if kind else {}
    filled: list[dict[str, Any]] = []
    for row in rows:
        read = {name: _instant(value) if name in times else value for name, value in row.items()}
        if kind is not None:
            known = read.get("received_at") or read.get(OWN_TIME[kind]) or _instant(KNOWN_FROM_THE_START)
            read = {**defaults, **read, "known_at": read.get("known_at") or known, "batch_id": batch_id}
        filled.append(read)
    schema = lake.schemas[table]
    told = {name for row in filled for name in row}  # most rows tell of a few columns only
    arrays = [
        pa.array([_mapped(row.get(field.name)) for row in filled], field.type)
        if field.name in told
        else pa.nulls(len(filled), field.type)
        for field in schema
    ]
    lake.append(table, pa.table(arrays, schema=schema), batch_id=batch_id)
    if kind is not None:
        book(lake, batch_id)


def versions(lake: Lake) -> dict[str, int]:
    """The newest commit of each table; where they are equal, nothing was written."""
    return {name: lake.delta(name).version() for name in table_columns()}


def book(lake: Lake, batch_id: str) -> None:
    """Enter a batch in the books, as the loader does once all tables have their part."""
    lake.append("batch", pa.table({"batch_id": [batch_id]}), batch_id=f"book {batch_id}")


def _instant(value: Any) -> Any:
    return datetime.fromisoformat(value) if isinstance(value, str) else value


def _mapped(value: Any) -> Any:
    return list(value.items()) if isinstance(value, dict) else value


def outage(
    path: Path, *, guilty: str = GUILTY, crashes: bool = True, presence: bool = True, installs: bool = True
) -> Lake:
    """A lake of sixty hosts: forty Windows, ten macOS, ten Linux; the outage starts at ``RELEASED``."""
    lake = write_files(path, _facts(guilty, crashes, presence, installs))
    append_rows(
        lake,
        "batch",
        [{"batch_id": "b", "source": "tests", "read": 1, "accepted": 1, "loaded_at": datetime.now(UTC)}],
    )
    append_rows(
        lake,
        "host",
        [{"host_id": "host-00", "os_type": "windows", "agent_version": VERSIONS[0], "seen_at": NOW}],
        batch_id="last",
    )
    return lake


def files_of(lake: Lake) -> Files:
    """A lake's files by their paths in it, to be written again: making a lake takes ten times as long."""
    return {file.relative_to(lake.root): file.read_bytes() for file in lake.root.rglob("*") if file.is_file()}


def write_files(path: Path, files: Files) -> Lake:
    """A lake of these files."""
    for name, content in files.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(content)
    return Lake.open(path)


@cache
def _facts(guilty: str, crashes: bool, presence: bool, installs: bool) -> Files:
    """The files of that lake before its last two batches."""
    with TemporaryDirectory() as folder:
        return files_of(_told(Lake.create(Path(folder) / "lake"), guilty, crashes, presence, installs))


def _told(lake: Lake, guilty: str, crashes: bool, presence: bool, installs: bool) -> Lake:
    hosts = [(f"host-{number:02d}", _os(number), VERSIONS[number % 3]) for number in range(60)]
    append_rows(lake, "host", [{"host_id": h, "os_type": os_type, "agent_version": v} for h, os_type, v in hosts])
    if presence:
        append_rows(lake, "session", [{"host_id": h, "online_from": START} for h, _, _ in hosts])
    append_rows(
        lake,
        "update",
        [
            {
                "update_id": INNOCENT,
                "kind": "content",
                "channel": "290",
                "released_at": START + timedelta(hours=9),
            },
            {"update_id": guilty, "kind": "content", "channel": "291", "released_at": RELEASED},
            {
                "update_id": "agent-7.16",
                "kind": "agent",
                "version": "7.16.300",
                "released_at": START + timedelta(hours=2),
            },
        ],
    )
    rows = [
        {"host_id": h, "update_id": guilty, "applied_at": RELEASED + timedelta(minutes=index % 10)}
        for index, (h, _, _) in enumerate(hosts)
        if index % 5
    ]
    rows += [
        {"host_id": h, "update_id": INNOCENT, "applied_at": START + timedelta(hours=9, minutes=index)}
        for index, (h, _, _) in enumerate(hosts)
        if index % 2
    ]
    if installs:
        append_rows(lake, "install", rows)
    if crashes:
        append_rows(lake, "crash", _crashes(hosts))
    return lake


def _os(number: int) -> str:
    return "windows" if number < 40 else "darwin" if number < 50 else "linux"


def _crashes(hosts: Sequence[tuple[str, str, str]]) -> list[dict[str, Any]]:
    rows = [
        {
            "crash_id": f"noise-{hour}",
            "host_id": hosts[7 * hour % 60][0],
            "os_type": hosts[7 * hour % 60][1],
            "occurred_at": START + timedelta(hours=hour, minutes=20),
            "code": "0xd1",
            "module": "drv2.sys",
        }
        for hour in range(1, 11)
    ]
    for index, (host_id, os_type, version) in enumerate(hosts):
        if os_type == "windows" and version != VERSIONS[0] and index % 5 and index % 7:
            rows += [
                {
                    "crash_id": f"hit-{host_id}-{again}",
                    "host_id": host_id,
                    "os_type": os_type,
                    "agent_version": version,
                    "occurred_at": RELEASED + timedelta(minutes=index % 10 + 1 + 9 * again),
                    "code": "0x50",
                    "module": "csagent.sys",
                    "frames": [
                        {"module": "nt", "function": "KeBugCheckEx", "offset": 1},
                        {"module": "csagent.sys", "function": None, "offset": 0xE14ED},
                    ],
                }
                for again in range(3)
            ]
    return rows


def incident(**changed: Any) -> dict[str, Any]:
    """The contract's incident of the outage, with keys changed."""
    return {
        "incident_id": "inc-0001",
        "alarm_at": _z(RELEASED + timedelta(minutes=2)),
        "named_at": _z(RELEASED + timedelta(minutes=4)),
        "closed_at": None,
        "verdict": "update",
        "update_id": GUILTY,
        "update_kind": "content",
        "cause": None,
        "candidates": [{"update_id": GUILTY, "probability": 0.998}],
        "condition": {"os_type": "windows", "agent_version": ">=7.11"},
        "evidence": {
            "crashes": 54,
            "hosts_crashed": 18,
            "hosts_exposed": 21,
            "hosts_dark": 2,
            "rate_ratio": {"low": 12.0, "estimate": 40.0, "high": None},
            "log_evidence": 57.1,
        },
        "impact": {
            "exposed": 21,
            "recovered": 11,
            "dark": 2,
            "crashed": 5,
            "cleared": 0,
            "at_risk": 3,
            "pending": 5,
        },
        "summary": "content-291 crashes Windows hosts with agent 7.11 and later.",
        "history": [
            {
                "at": _z(RELEASED + timedelta(minutes=2)),
                "verdict": "undetermined",
                "update_id": None,
                "condition": None,
            },
            {
                "at": _z(RELEASED + timedelta(minutes=4)),
                "verdict": "update",
                "update_id": GUILTY,
                "condition": {"os_type": "windows", "agent_version": ">=7.11"},
            },
        ],
        **changed,
    }


def tick(
    lake: Lake, incidents: Sequence[Mapping[str, Any]], *, as_of: datetime = NOW, at: datetime | None = None
) -> None:
    """One tick of the monitor, as it stands in the lake."""
    document = {
        "schema": 1,
        "as_of": _z(as_of),
        "exposure_source": "installs",
        "presence_source": "sessions",
        "incidents": list(incidents),
    }
    ticked_at = at or datetime.now(UTC)
    append_rows(
        lake,
        "incident",
        [{"as_of": as_of, "ticked_at": ticked_at, "document": json.dumps(document)}],
        batch_id=f"tick-{ticked_at.isoformat()}",
    )


def _z(instant: datetime) -> str:
    return instant.isoformat().replace("+00:00", "Z")
