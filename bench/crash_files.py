"""How long do crash files take to load, beside the same crashes as records?

    python -m bench.crash_files --dumps 10000 --lines 1000000

Three loads of made-up files, each into a fresh lake: kernel dumps of Windows, of which each host has some in a folder
of its own; the log of a server with lines of a thousand Linux hosts, one in a hundred of which tells of a process that
crashed; and the crashes of the first as one file of NDJSON.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import struct
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from fleetcrash.store import Lake
from fleetcrash.times import time_text
from ingest.load import load
from ingest.sources import Hosts

_NOW = datetime(2026, 11, 1, tzinfo=UTC)
_BEGAN = datetime(2026, 10, 1, tzinfo=UTC)
_FILETIME_1970_S = 11_644_473_600
_DUMP_BYTES = 64 << 10
_SEGFAULT = "segfault at 8 ip 00007f00a1b2c3d4 sp 00007ffc error 4 in libscan.so[1234,7f00+9]"
_CODES = (0x50, 0x7E, 0xD1, 0x139, 0x124)


def dump(code: int, at: datetime) -> bytes:
    """A kernel dump: its header, and memory without anything in it."""
    data = bytearray(_DUMP_BYTES)
    data[:8] = b"PAGEDU64"
    struct.pack_into("<II", data, 8, 15, 22631)
    struct.pack_into("<IIQQQQ", data, 0x38, code, 0, 1, 2, 3, 4)
    struct.pack_into("<Q", data, 0xFA8, int((at.timestamp() + _FILETIME_1970_S) * 10_000_000))
    return bytes(data)


def _files(path: Path) -> list[Path]:
    return [path] if path.is_file() else [one for one in path.rglob("*") if one.is_file()]


def _measure(paths: list[Path], folder: Path, hosts: Hosts) -> dict[str, float]:
    size_bytes = sum(path.stat().st_size for one in paths for path in _files(one))
    lake = Lake.create(folder / f"lake-{paths[0].name}")
    started = time.perf_counter()
    report = load(lake, paths, now=_NOW, hosts=hosts)
    took_s = time.perf_counter() - started
    assert report.accepted == report.read
    return {
        "files": len(report.sources),
        "crashes": report.accepted,
        "files_per_s": round(len(report.sources) / took_s),
        "crashes_per_s": round(report.accepted / took_s, 1),
        "mib_per_s": round(size_bytes / took_s / (1 << 20), 1),
    }


def main() -> None:
    """Print the figures as one JSON document."""
    parser = argparse.ArgumentParser(prog="python -m bench.crash_files", description=__doc__)
    parser.add_argument("--dumps", type=int, default=10_000)
    parser.add_argument("--lines", type=int, default=1_000_000)
    chosen = parser.parse_args()
    draw = random.Random(1)
    with tempfile.TemporaryDirectory(prefix="fleetcrash-") as scratch:
        folder = Path(scratch)
        with (folder / "crashes.ndjson").open("w") as records:
            for number in range(chosen.dumps):
                host, code, at = f"pc-{number % 1000}", draw.choice(_CODES), _BEGAN + timedelta(seconds=number)
                path = folder / "dumps" / host / f"{number}.dmp"
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(dump(code, at))
                record = {"crash_id": str(number), "host_id": host, "occurred_at": time_text(at), "code": f"{code:#x}"}
                records.write(json.dumps({"record": "crash", "os_type": "windows", **record}) + "\n")
        with (folder / "kern.log").open("w") as out:
            for number in range(chosen.lines):
                said = f"usb 1-{number % 9}: new high-speed USB device number {number % 120}"
                if number % 100 == 0:
                    said = f"scan[{number}]: {_SEGFAULT}"
                stamp = time_text(_BEGAN + timedelta(seconds=number))
                out.write(f"{stamp} web-{draw.randrange(1000)} kernel: [{number}.000000] {said}\n")
        found = {
            "dumps": _measure([folder / "dumps"], folder, Hosts(by_folder=True)),
            "kernel_log": _measure([folder / "kern.log"], folder, Hosts()),
            "the_dumps_crashes_as_ndjson": _measure([folder / "crashes.ndjson"], folder, Hosts()),
        }
    log = found["kernel_log"]
    log["lines_per_s"] = round(chosen.lines * log["crashes_per_s"] / log["crashes"])
    peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({**found, "lines": chosen.lines, "peak_memory_mib": round(peak_mib), "synthetic": True}))


if __name__ == "__main__":
    main()
