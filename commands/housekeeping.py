"""Keeping a lake in order: merging and sorting files, forgetting hosts, finding damage."""

from __future__ import annotations

import argparse
import sys
from datetime import timedelta

from commands.options import Commands, duration, lake_of, lake_path
from commands.output import Exit, Progress, print_json
from fleetcrash.errors import LakeError


def add_to(commands: Commands) -> None:
    """Add the commands of this file."""
    one = commands.add(compact, "--lake", "--json", example="fleetcrash compact --keep-files 24h")
    one.add_argument(
        "--keep-files",
        metavar="TIME",
        type=duration(or_none=True),
        help="how long replaced files stay for those who read them, such as 90m or 7d (default: 24h)",
    )
    one = commands.add(forget, "--lake", "--json", example="fleetcrash forget laptop-0042 --json")
    one.add_argument("host_id", metavar="HOST_ID")
    one = commands.add(doctor, "--lake", "--json", example="fleetcrash doctor --migrate --lake lake")
    one.add_argument("--migrate", action="store_true", help="bring a lake of an older version up to date first")


def compact(chosen: argparse.Namespace) -> int:
    """Merge and sort the lake's files, and delete what they replace."""
    from fleetcrash.records import table_columns
    from fleetcrash.store.housekeeping import compact as compact_tables

    lake = lake_of(chosen)
    kept = {} if chosen.keep_files is None else {"keep": timedelta(seconds=chosen.keep_files)}
    done = []
    tables = list(table_columns())
    with Progress("Compacting") as shown:
        for place, name in enumerate(tables):
            shown(place, len(tables))
            done += compact_tables(lake, name, **kept)
    if chosen.json:
        print_json({"schema": 1, "tables": [one.as_json() for one in done]})
        return Exit.DONE
    for one in done:
        merged = f"{one.merged:,} files merged into {one.into:,}" if one.merged else "nothing new"
        deleted = f"; {one.swept.files:,} files deleted ({one.swept.size_bytes:,} bytes)" if one.swept.files else ""
        print(f"{one.table:<11} {merged}{deleted}")
    return Exit.DONE


def forget(chosen: argparse.Namespace) -> int:
    """Remove a host from the lake, so that no file there names it."""
    from fleetcrash.gate import overrides
    from fleetcrash.store.forgetting import forget as forget_host
    from ingest.collector import token_book
    from monitor.alerts import striking

    books = (overrides.strike, token_book.strike, striking.strike)
    receipt = forget_host(lake_of(chosen), chosen.host_id, books=books)
    told = receipt.as_json()
    if chosen.json:
        print_json(told)
    else:
        rows = ", ".join(f"{count:,} {name}" for name, count in told["rows"].items() if count) or "none"
        print(f"Rows removed: {rows}.")
        print(f"Quarantined records removed: {told['quarantined']:,}. Documents rewritten: {told['documents']:,}.")
        print(f"Entries removed from other hosts' records: {told['entries']:,}.")
        print(f"Batches and quarantined records out of whose source it was struck: {told['sources']:,}.")
        print(f"Entries of books in which it was struck out: {told['struck']:,}.")
        print(f"Files deleted: {told['files']:,} ({told['bytes']:,} bytes).")
        for one in told["remaining"]:
            print(f"Remaining: {one['path']}: {one['why']}.")
    if receipt.found:
        return Exit.DONE
    if receipt.begun_before:
        rest = "" if receipt.remaining else ", and this one the rest"
        print(f"fleetcrash: An earlier run has removed its records{rest}.", file=sys.stderr)
        return Exit.DONE
    print(
        f"fleetcrash: no record in the lake names the host {chosen.host_id[:128]!r}. "
        "Files and log entries that might have were cleaned up all the same.",
        file=sys.stderr,
    )
    return Exit.BAD_USE


def doctor(chosen: argparse.Namespace) -> int:
    """Say what is wrong with the lake, what that means, and what to do."""
    from fleetcrash.store import Lake
    from fleetcrash.store.doctor import examine
    from fleetcrash.store.findings import Severity
    from fleetcrash.store.migration import migrate

    lake = Lake(lake_path(chosen))
    lake.check_present()
    migrated, trouble = [], ""
    try:
        migrated = migrate(lake) if chosen.migrate else []
    except LakeError as error:
        trouble = str(error)  # its cause is among the findings
    with Progress("Examining") as shown:
        findings = examine(lake, progress=shown)
    broken = [one for one in findings if one.severity is Severity.BROKEN]
    if chosen.json:
        print_json(
            {
                "schema": 1,
                "lake": str(lake.root),
                "broken": len(broken),
                "migrated": migrated,
                "findings": [one.as_json() for one in findings],
            }
        )
    else:
        for step in migrated:
            print(f"migrated  {step}")
        for one in findings:
            print(f"{one.severity.value}: {one.where}\n  {one.found}\n  {one.means}\n  {one.todo}")
        if not findings:
            print(f"Nothing is wrong with the lake at {lake.root}.")
    if trouble:
        print(f"fleetcrash: {trouble}", file=sys.stderr)
    return Exit.BAD_USE if broken or trouble else Exit.DONE
