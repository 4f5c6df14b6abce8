"""Loads into a lake, and records that break no rule."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from fleetcrash.errors import LakeError
from fleetcrash.store import Engine, Lake
from ingest.load import load
from ingest.report import LoadReport

NOW = datetime(2024, 7, 20, tzinfo=UTC)

SOUND: dict[str, dict[str, Any]] = {
    "crash": {
        "crash_id": "c1",
        "host_id": "h1",
        "occurred_at": "2024-07-19T04:09:00Z",
        "received_at": "2024-07-19T04:12:00.5+02:00",
        "os_type": "windows",
        "os_version": "10.0.22631",
        "agent_version": "7.11.18110",
        "code": "0x50",
        "module": "csagent.sys",
        "module_offset": 4116,
        "frames": [{"module": "nt", "function": "KeBugCheckEx", "offset": 0}, {"module": "csagent.sys"}],
        "uptime_s": 31.5,
        "content": {"291": "31"},
        "tags": {"rack": "r7"},
    },
    "install": {"host_id": "h1", "update_id": "u1", "applied_at": "2024-07-19T04:05:00Z"},
    "update": {"update_id": "u1", "kind": "content", "released_at": "2024-07-19T04:00:00Z", "channel": "291"},
    "host": {"host_id": "h1", "os_type": "windows", "group": "g1", "always_on": True},
    "heartbeat": {"host_id": "h1", "at": "2024-07-19T04:05:00Z", "uptime_s": 300},
    "session": {"host_id": "h1", "online_from": "2024-07-18T04:05:00Z", "online_until": None},
}
VIEWS = ("crashes", "installs", "updates", "hosts", "presence", "exposures", "host_spans")


def line(kind: str, /, **changes: Any) -> bytes:
    """A sound record of a kind as a line, with changes."""
    return json.dumps({"record": kind, **SOUND[kind], **changes}).encode()


def write(path: Path, lines: Iterable[bytes]) -> Path:
    """A file of lines."""
    path.write_bytes(b"".join(each + b"\n" for each in lines))
    return path


@pytest.fixture
def load_lines(lake: Lake, tmp_path: Path) -> Callable[..., LoadReport]:
    """Load lines into the lake, from a file of that name."""

    def load_them(*lines: bytes, name: str = "records.ndjson") -> LoadReport:
        return load(lake, [write(tmp_path / name, lines)], now=NOW)

    return load_them


def quarantined(lake: Lake) -> list[dict[str, Any]]:
    """What was put aside, by source and line."""
    return sorted(rows_of(lake, "quarantine"), key=lambda row: (row["source"], row["line"]))


def rows_of(lake: Lake, table: str) -> list[dict[str, Any]]:
    """All rows of a table of the lake."""
    import pyarrow.parquet as pq

    return [row for file in lake.files(table) for row in pq.ParquetFile(file.path).read().to_pylist()]


def answers(lake: Lake, *, as_of: datetime = NOW) -> dict[str, list[str]]:
    """What the views say, as sorted text: the order of rows and the batch that brought them say nothing."""
    with Engine(lake, as_of=as_of) as engine:
        found = {}
        for view in VIEWS:
            engine._views.define(view)
            rows = engine._con.sql(f"SELECT * FROM {view}").to_arrow_table().to_pylist()
            for row in rows:
                row.pop("batch_id", None)
            found[view] = sorted(map(str, rows))
        return found


@contextmanager
def full_disk(table: str) -> Iterator[None]:
    """While this lasts nothing can be appended to a table; ``mark``: no record be marked as taken in by a replay."""
    append = Lake.append

    def unless_full(self: Lake, name: str, *arguments: Any, **named: Any) -> bool:
        if name == table:
            raise LakeError("the disk is full")
        return append(self, name, *arguments, **named)

    def never(*_: Any, **__: Any) -> None:
        raise LakeError("the disk is full")

    with pytest.MonkeyPatch.context() as patch:
        if table == "mark":
            patch.setattr(Lake, "mark_replayed", never)
        else:
            patch.setattr(Lake, "append", unless_full)
        yield
