"""Records that were put aside: listing them with reasons, and replaying them after a fix."""

from __future__ import annotations

import argparse
from datetime import UTC, datetime

from commands.options import Commands, lake_of, whole
from commands.output import Exit, Progress, print_json
from fleetcrash.terminal import readable


def add_to(commands: Commands) -> None:
    """Add the commands of this file."""
    group = commands.group(
        "quarantine",
        "Records that were put aside: list them, replay them.",
        example="fleetcrash quarantine list --samples 1",
    )
    one = group.add(list_, "--lake", "--json", example="fleetcrash quarantine list --samples 1")
    one.add_argument("--samples", type=whole(0), default=3, help="records to show of each reason (default: 3)")

    one = group.add(replay, "--lake", "--json", example="fleetcrash quarantine replay --reason future_time:occurred_at")
    one.add_argument("--reason", metavar="CODE", help="only what was put aside for it (default: all)")


def list_(chosen: argparse.Namespace) -> int:
    """Say what was put aside, by reason, with samples."""
    from ingest.quarantine import SAMPLE_BYTES, listed
    from ingest.reasons import wanted_by_reason

    found = listed(lake_of(chosen), samples=chosen.samples)
    if chosen.json:
        print_json(found)
        return Exit.DONE
    print(f"{found['quarantined']:,} records are put aside.")
    for row in found["reasons"]:
        sources = "1 source" if row["sources"] == 1 else f"{row['sources']:,} sources"
        print(f"\n{row['reason']}: {row['records']:,} from {sources}, the last {row['last_at']}")
        if (wanted := wanted_by_reason().get(row["reason"])) is not None:
            print(f"  wanted: {wanted}")
        for sample in row["samples"]:
            cut = f" ... ({sample['size_bytes']:,} bytes)" if sample["size_bytes"] > SAMPLE_BYTES else ""
            print(f"  {readable(sample['source'])}:{sample['line']}  {sample['raw']}{cut}")
    return Exit.DONE


def replay(chosen: argparse.Namespace) -> int:
    """Judge what was put aside again, and load what the rules now accept."""
    from ingest.quarantine import replay as replay_all

    with Progress("Replaying") as shown:
        report, stay = replay_all(lake_of(chosen), now=datetime.now(UTC), reason=chosen.reason, progress=shown)
    if chosen.json:
        print_json({**report.as_json(), "stay": stay})
    else:
        print(
            f"{report.read:,} taken in = {report.accepted:,} accepted + {report.duplicates:,} duplicates; {stay:,} stay"
        )
    return Exit.PARTLY if stay else Exit.DONE
