"""Commands that bring records: `simulate` makes some, `load` takes them into a lake."""

from __future__ import annotations

import argparse
import difflib
import re
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from commands.options import Commands, lake_of, lake_path
from commands.output import Exit, Progress, print_json
from fleetcrash.terminal import readable

if TYPE_CHECKING:
    from ingest.report import LoadReport

_NEAR = 0.8  # 1 is the same; "occured_at" is at 0.95 of occurred_at, and "size" at 0.5 of site
_LONGEST_NAME = 100


def add_to(commands: Commands) -> None:
    """Add the commands of this file."""
    one = commands.add(
        simulate, "--json", example="fleetcrash simulate channel-file-291 --out fleet --hosts 20000 --seed 1"
    )
    one.add_argument("scenario", metavar="SCENARIO", help="a scenario's name, or a TOML file")
    one.add_argument("--out", metavar="DIR", required=True, help="folder to write to")
    one.add_argument("--hosts", type=int, help="size of the fleet (default: the scenario's)")
    one.add_argument("--seed", type=int, default=1, help="same seed, same records (default: 1)")
    one.add_argument("--days", type=int, help="days, history included (default: the scenario's)")

    one = commands.add(load, "--lake", "--json", example="fleetcrash load fleet/ crashes.ndjson")
    one.add_argument("--dry-run", action="store_true", help="say what would happen, and change nothing")
    one.add_argument("paths", nargs="+", metavar="PATH", help="files, folders, or - for stdin")
    named = one.add_mutually_exclusive_group()
    named.add_argument("--host", metavar="HOST_ID", help="whose crashes are in crash files that name no host")
    named.add_argument(
        "--host-by-folder", action="store_true", help="the same, by the folder within PATH that a crash file is in"
    )


def simulate(chosen: argparse.Namespace) -> int:
    """Write a scenario's records and their truth."""
    from sample_data.simulator import simulate as write_fleet

    with Progress("Simulating") as shown:
        summary = write_fleet(
            chosen.scenario, chosen.out, hosts=chosen.hosts, seed=chosen.seed, days=chosen.days, progress=shown
        )
    if chosen.json:
        print_json({"schema": 1, "scenario": summary.scenario, "out": str(summary.folder), "seed": summary.seed,
                     "hosts": summary.hosts, "records": dict(summary.records)})  # fmt: skip
        return Exit.DONE
    print(
        f"{sum(summary.records.values()):,} records of {summary.hosts:,} hosts, scenario {summary.scenario}, "
        f"seed {summary.seed}: {readable(str(summary.folder))}"
    )
    print(f"  {', '.join(f'{count:,} {kind}' for kind, count in summary.records.items())}")
    return Exit.DONE


def load(chosen: argparse.Namespace) -> int:
    """Load records into the lake."""
    from fleetcrash.store import Lake
    from ingest.load import dry_run
    from ingest.load import load as load_sources
    from ingest.report import IncompleteLoad
    from ingest.report import Progress as LoadProgress
    from ingest.sources import Hosts

    def progress(at: LoadProgress) -> None:
        shown(at.bytes_done, at.bytes_total, records=at.read)

    now, hosts = datetime.now(UTC), Hosts(chosen.host, chosen.host_by_folder)
    try:
        with Progress("Trying" if chosen.dry_run else "Loading") as shown:
            if chosen.dry_run:
                there = lake_of(chosen) if lake_path(chosen).exists() else None
                report = dry_run(there, chosen.paths, now=now, hosts=hosts, progress=progress)
            else:
                lake = Lake.to_make(lake_path(chosen))
                report = load_sources(lake, chosen.paths, now=now, hosts=hosts, progress=progress, make=True)
    except IncompleteLoad as error:
        _print_load(error.report, chosen)
        for problem in error.problems:
            print(f"fleetcrash: {readable(problem)}", file=sys.stderr)
        return Exit.BAD_USE
    _print_load(report, chosen)
    return Exit.PARTLY if report.quarantined else Exit.DONE


def _print_load(report: LoadReport, chosen: argparse.Namespace) -> None:
    if chosen.json:
        print_json(report.as_json())
    else:
        _print_counts(report, chosen)
    sys.stdout.flush()  # so that advice follows the counts even if both go into one file
    for line in _hints(report):
        print(f"fleetcrash: {readable(line)}", file=sys.stderr)


def _print_counts(report: LoadReport, chosen: argparse.Namespace) -> None:
    from ingest.reasons import wanted_by_reason

    rate = report.read / report.seconds if report.seconds else 0.0
    print(
        f"{report.read:,} read = {report.accepted:,} accepted + {report.duplicates:,} duplicates "
        f"+ {report.quarantined:,} quarantined" + (" (dry run: nothing was changed)" if chosen.dry_run else "")
    )
    from_each = "1 source" if len(report.sources) == 1 else f"{len(report.sources):,} sources"
    print(f"  from {from_each} in {report.seconds:.1f} s ({rate:,.0f} records/s)")
    for reason, count in report.reasons.items():
        wanted = wanted_by_reason().get(reason)
        print(f"  quarantined {count:,}: {reason}" + (f"; wanted: {wanted}" if wanted else ""))
    if report.unknown_fields:
        print(f"  ignored fields: {', '.join(map(_ignored, report.unknown_fields))}")


def _ignored(name: str) -> str:
    """An ignored field, with the known field that may be meant."""
    from fleetcrash.records import COLUMNS

    known = {"record", *(column.name for columns in COLUMNS.values() for column in columns)}
    spelled = re.sub(r"[^a-z0-9]+", "_", name[:_LONGEST_NAME].lower())
    near = [] if name in known else difflib.get_close_matches(spelled, sorted(known), n=1, cutoff=_NEAR)
    return (readable(name) or "one without a name") + (f" ({near[0]}?)" if near else "")


def _hints(report: LoadReport) -> Iterator[str]:
    """Hints beside the counts, a line each."""
    if report.left_out:
        more = f" and {len(report.left_out) - 3} more" if len(report.left_out) > 3 else ""
        yield f"Of no known format, and so left out: {', '.join(report.left_out[:3])}{more}."
    yield from report.advice
