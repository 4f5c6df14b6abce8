"""How fast is a load, with all its rules, against the floor of the machine and against a loader in plain Python?

    python -m bench.load --lines 1000000

Makes one file of NDJSON crashes, one in a hundred of them bad, in every way that there is a reason for. Then, each in a
process of its own, in turn and more than once:

    bare        DuckDB's read_json with typed columns, appended to a Delta table: no rule, no duplicate, no quarantine;
                compressed as the lake is, with the encodings that the writer chooses by itself
    fleetcrash  the load: rules, quarantine with raw lines, duplicates, exactly once
    msgspec     a loader that decodes a line at a time into a typed struct, skips what fails, and appends batches
    bare_csv, fleetcrash_csv    the first two, with the same crashes as CSV, without the bad ones

Prints one JSON line: the medians in rows a second, their ratios, the load's peak memory and whether its sums are right.
Everything here is synthetic.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

NOW = datetime(2024, 7, 20, tzinfo=UTC)
_MODULES = ("csagent.sys", "ntoskrnl.exe", "tcpip.sys", "dxgkrnl.sys", "nvlddmkm.sys", "storport.sys")

# A line of each reason that a crash can be refused for, made from a sound one.
_BAD: dict[str, Callable[[dict[str, Any]], bytes]] = {
    "not_json": lambda crash: json.dumps(crash).encode()[:-3],
    "not_an_object": lambda crash: json.dumps([crash["crash_id"]]).encode(),
    "unknown_record": lambda crash: _line({**crash, "record": "reboot"}),
    "missing_field:crash_id": lambda crash: _line({**crash, "crash_id": None}),
    "missing_field:host_id": lambda crash: _line({name: crash[name] for name in crash if name != "host_id"}),
    "missing_field:occurred_at": lambda crash: _line({**crash, "occurred_at": None}),
    "missing_field:os_type": lambda crash: _line({**crash, "os_type": None}),
    "bad_time:occurred_at": lambda crash: _line({**crash, "occurred_at": "2024-07-19 04:10:00"}),
    "bad_time:received_at": lambda crash: _line({**crash, "received_at": "yesterday"}),
    "bad_value:time_quality": lambda crash: _line({**crash, "time_quality": "rough"}),
    "bad_value:os_type": lambda crash: _line({**crash, "os_type": "beos"}),
    "bad_value:agent_version": lambda crash: _line({**crash, "agent_version": 7.11}),
    "bad_value:domain": lambda crash: _line({**crash, "domain": 1}),
    "bad_value:module_offset": lambda crash: _line({**crash, "module_offset": 1.5}),
    "bad_value:frames": lambda crash: _line({**crash, "frames": "csagent.sys+0x10"}),
    "bad_value:uptime_s": lambda crash: _line({**crash, "uptime_s": -1}),
    "bad_value:content": lambda crash: _line({**crash, "content": {"291": 32}}),
    "bad_value:tags": lambda crash: _line({**crash, "tags": ["a"]}),
    "bad_value:code": lambda crash: _line({**crash, "code": "0x50\x00"}),
    "too_long:crash_id": lambda crash: _line({**crash, "crash_id": "x" * 129}),
    "too_long:host_id": lambda crash: _line({**crash, "host_id": "x" * 129}),
    "future_time:occurred_at": lambda crash: _line({**crash, "occurred_at": "2024-07-22T00:00:00Z"}),
    "future_time:received_at": lambda crash: _line({**crash, "received_at": "2024-07-22T00:00:00Z"}),
}


def _line(record: dict[str, Any]) -> bytes:
    return json.dumps(record).encode()


def write_lines(path: Path, lines: int, *, seed: int = 1) -> dict[str, int]:
    """Write crashes of some 450 bytes, one in a hundred bad and one in a hundred twice.

    Returns:
        What the load should say: read, accepted, duplicates, quarantined.
    """
    draw = random.Random(seed)
    reasons = list(_BAD)
    expected = {"read": lines, "accepted": 0, "duplicates": 0, "quarantined": 0}
    with path.open("wb") as out:
        for number in range(lines):
            crash = _crash(draw, number)
            if number % 100 == 50:
                out.write(_BAD[reasons[number // 100 % len(reasons)]](crash) + b"\n")
                expected["quarantined"] += 1
                continue
            if number % 100 == 99:
                crash["crash_id"] = f"crash-{number - draw.randrange(1, 40):010}"  # a sound one of this hundred
                expected["duplicates"] += 1
            else:
                expected["accepted"] += 1
            out.write(_line(crash) + b"\n")
    return expected


def write_rows(path: Path, rows: int, *, seed: int = 1) -> None:
    """Write sound crashes, each once, as CSV."""
    draw = random.Random(seed)
    with path.open("w", newline="") as out:
        writer = csv.DictWriter(out, [name for name in _crash(random.Random(seed), 0) if name != "record"])
        writer.writeheader()
        for number in range(rows):
            crash = _crash(draw, number)
            del crash["record"]
            writer.writerow({name: json.dumps(v) if isinstance(v, dict | list) else v for name, v in crash.items()})


def _crash(draw: random.Random, number: int) -> dict[str, Any]:
    module = _MODULES[min(int(draw.expovariate(1.0)), len(_MODULES) - 1)]
    second = number // 40 % 3600
    received = f"2024-07-19T04:{second // 60:02}:{second % 60:02}.{draw.randrange(10**6):06}Z"
    return {
        "record": "crash",
        "crash_id": f"crash-{number:010}",
        "host_id": f"host-{draw.randrange(200_000):06}",
        "occurred_at": f"2024-07-19T03:{second // 60:02}:{second % 60:02}Z",
        "os_type": "windows",
        "os_version": "10.0.22631",
        "os_build": "22631.3880",
        "agent_version": f"7.{draw.randrange(9, 14)}.18110",
        "code": draw.choice(("0x50", "0x7e", "0x1e", "0x3b")),
        "module": module,
        "module_offset": draw.randrange(1 << 20),
        "frames": [{"module": module, "function": f"fn_{draw.randrange(40)}", "offset": draw.randrange(4096)}],
        "uptime_s": round(draw.uniform(1, 1e6), 1),
        "content": {"291": f"{draw.randrange(1, 33)}"},
        "received_at": received,
    }


# -- the three ways, each in a process of its own


def bare(path: Path, lake: Path) -> int:
    """Typed read_json or read_csv, appended to Delta."""
    import duckdb
    import pyarrow as pa
    from deltalake import WriterProperties, write_deltalake

    from fleetcrash.records import COLUMNS, Kind

    columns = {"record": "VARCHAR", **{column.name: column.type for column in COLUMNS[Kind.CRASH]}}
    con = duckdb.connect()
    con.execute("SET TimeZone = 'UTC'")
    con.execute("SET preserve_insertion_order = false")
    if path.suffix == ".csv":
        with path.open() as header:
            names = next(csv.reader(header))
        nested = {
            "frames": '[{"module": "VARCHAR", "function": "VARCHAR", "offset": "BIGINT"}]',
            "content": '"MAP(VARCHAR, VARCHAR)"',
        }
        types = {name: "VARCHAR" if name in nested else columns[name] for name in names}
        rows = con.read_csv(str(path), columns=types, header=True, delimiter=",").project(
            ", ".join(
                f"json_transform({name}, '{nested[name]}') AS {name}" if name in nested else name for name in names
            )
        )
    else:
        rows = con.read_json(str(path), columns=columns, format="newline_delimited", ignore_errors=True)
    reader: pa.RecordBatchReader = rows.to_arrow_reader(60_000)
    properties = WriterProperties(compression="ZSTD", compression_level=1, max_row_group_size=60_000)
    write_deltalake(str(lake), reader, writer_properties=properties)
    return 0


def fleetcrash(path: Path, lake: Path) -> int:
    """The load."""
    from fleetcrash.store import Lake
    from ingest.load import load

    report = load(Lake.create(lake), [path], now=NOW)
    print(json.dumps(report.as_json()))
    return 0


def msgspec(path: Path, lake: Path) -> int:
    """A line at a time into a typed struct; what fails is skipped; batches go to Delta."""
    import msgspec as library
    import pyarrow as pa
    from deltalake import WriterProperties, write_deltalake

    frame: Any = library.defstruct("Frame", [(name, kind | None, None) for name, kind in
                                        (("module", str), ("function", str), ("offset", int))])  # fmt: skip
    required = [("record", str), ("crash_id", str), ("host_id", str), ("occurred_at", datetime), ("os_type", str)]
    optional = {
        **dict.fromkeys(("os_version", "os_build", "agent_version", "code", "module"), str),
        "module_offset": int, "frames": list[frame], "uptime_s": float, "content": dict[str, str],
        "received_at": datetime,
    }  # fmt: skip
    crash_type = library.defstruct(
        "Crash", [*required, *((name, kind | None, None) for name, kind in optional.items())]
    )
    decode: Callable[[bytes], Any] = library.json.Decoder(crash_type).decode
    seen: set[str] = set()
    frame_type = pa.struct([("module", pa.string()), ("function", pa.string()), ("offset", pa.int64())])
    types = {
        **dict.fromkeys(("occurred_at", "received_at"), pa.timestamp("us", "UTC")),
        "frames": pa.list_(frame_type),
        "content": pa.map_(pa.string(), pa.string()),
        "uptime_s": pa.float64(),
        "module_offset": pa.int64(),
    }
    schema = pa.schema([pa.field(name, types.get(name, pa.string())) for name in crash_type.__struct_fields__])

    def batches() -> Iterator[pa.RecordBatch]:
        rows: list[dict[str, Any]] = []
        with path.open("rb") as lines:
            for line in lines:
                try:
                    crash = decode(line)
                except (library.DecodeError, library.ValidationError):
                    continue
                if crash.crash_id not in seen:
                    seen.add(crash.crash_id)
                    rows.append(library.to_builtins(crash, builtin_types=(datetime,)))
                if len(rows) == 50_000:
                    yield pa.RecordBatch.from_pylist(rows, schema=schema)
                    rows.clear()
        yield pa.RecordBatch.from_pylist(rows, schema=schema)

    properties = WriterProperties(compression="ZSTD", compression_level=1, max_row_group_size=60_000)
    write_deltalake(str(lake), pa.RecordBatchReader.from_batches(schema, batches()), writer_properties=properties)
    return 0


_WAYS: dict[str, Callable[[Path, Path], int]] = {"bare": bare, "fleetcrash": fleetcrash, "msgspec": msgspec}
_WAYS |= {"bare_csv": bare, "fleetcrash_csv": fleetcrash}


def _measure(way: str, path: Path, scratch: Path) -> tuple[float, int, str]:
    """Seconds from start to end within the process, its peak memory in bytes, and what it printed."""
    with tempfile.TemporaryDirectory(dir=scratch) as folder:
        command = [sys.executable, "-m", "bench.load", "--one", way, str(path), f"{folder}/lake"]
        environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}  # as the front door has it
        done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    *printed, last = done.stdout.splitlines()
    measured = json.loads(last)
    return measured["seconds"], measured["peak_bytes"], "\n".join(printed)


def main() -> int:
    """Run what the arguments ask for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lines", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--one", nargs=3, metavar=("WAY", "FILE", "LAKE"), help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.one:
        way, source, lake = chosen.one
        started = time.perf_counter()
        _WAYS[way](Path(source), Path(lake))
        took_s = time.perf_counter() - started
        peak_bytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
        print(json.dumps({"seconds": took_s, "peak_bytes": peak_bytes}))
        return 0
    with tempfile.TemporaryDirectory() as scratch:
        path, rows = Path(scratch) / "crashes.ndjson", Path(scratch) / "crashes.csv"
        expected = write_lines(path, chosen.lines)
        write_rows(rows, chosen.lines)
        seconds: dict[str, list[float]] = {way: [] for way in _WAYS}
        peaks: dict[str, int] = dict.fromkeys(_WAYS, 0)
        reports: dict[str, dict[str, Any]] = {}
        for _ in range(chosen.rounds):
            for way in _WAYS:
                took, peak_bytes, printed = _measure(way, rows if way.endswith("_csv") else path, Path(scratch))
                seconds[way].append(took)
                peaks[way] = max(peaks[way], peak_bytes)
                reports[way] = json.loads(printed) if printed else {}
    rate = {way: chosen.lines / statistics.median(took) for way, took in seconds.items()}
    report = reports["fleetcrash"]
    found = {name: report[name] for name in expected}
    is_right = found == expected and reports["fleetcrash_csv"]["accepted"] == chosen.lines
    print(
        json.dumps(
            {
                "lines": chosen.lines,
                "rows_per_s": {way: round(value) for way, value in rate.items()},
                "of_bare": round(rate["fleetcrash"] / rate["bare"], 3),
                "of_msgspec": round(rate["fleetcrash"] / rate["msgspec"], 2),
                "csv_of_bare": round(rate["fleetcrash_csv"] / rate["bare_csv"], 3),
                "peak_mib": {way: round(value / 2**20) for way, value in peaks.items()},
                "sums_right": is_right,
                "reasons": len(report["reasons"]),
                "found": found,
                "synthetic": True,
            }
        )
    )
    return 0 if is_right else 1


if __name__ == "__main__":
    sys.exit(main())
