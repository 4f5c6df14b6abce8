"""May a rollout go on?"""

from __future__ import annotations

import argparse
import textwrap
from datetime import UTC, datetime

from commands.options import Commands, duration, lake_of, time_of, who
from commands.output import Exit, Progress, print_json
from fleetcrash.documents import JSON
from fleetcrash.gate.settings import Settings
from fleetcrash.terminal import readable

_WIDTH = 100


def add_to(commands: Commands) -> None:
    """Add the command of this file."""
    one = commands.add(
        gate,
        "--lake",
        "--as-of",
        "--json",
        example="fleetcrash gate content-291-32 --max-excess 0.001",
    )
    one.description = f"{one.description} Exit status: 0 go, 3 hold, 4 halt."
    one.add_argument("update_id", metavar="UPDATE_ID")
    one.add_argument(
        "--max-excess",
        type=float,
        default=Settings.max_excess,
        metavar="SHARE",
        help="share of hosts beyond the baseline that may crash or go dark (default: %(default)s)",
    )
    one.add_argument(
        "--soak",
        type=duration("mhd", bare="m"),
        default=60 * Settings.soak_minutes,
        metavar="TIME",
        help="how long a ring has the update before it may go, such as 30 or 30m "
        f"(default: {Settings.soak_minutes} minutes)",
    )
    one.add_argument(
        "--override",
        choices=("go", "halt", "none"),
        help="decide otherwise, which is kept, or with none take that back; needs --reason",
    )
    one.add_argument("--reason", metavar="TEXT", help="why, for those who read it later")


def gate(chosen: argparse.Namespace) -> int:
    """Say whether a rollout may go on: go, hold or halt, and why."""
    from fleetcrash.errors import BadArgument
    from fleetcrash.gate.decision import gate as ask
    from fleetcrash.gate.decision import overrule
    from fleetcrash.gate.overrides import check_reason

    settings = Settings(max_excess=chosen.max_excess, soak_minutes=int(chosen.soak // 60))
    if chosen.override is None and chosen.reason is not None:
        raise BadArgument("--reason says why somebody overrides, and there is no --override. Nothing was written.")
    reason = check_reason(chosen.reason) if chosen.override is not None else None
    lake, as_of = lake_of(chosen), time_of(chosen.as_of)
    with Progress("Judging") as shown:
        found = ask(lake, chosen.update_id, as_of=as_of, settings=settings, progress=shown)
    if reason is not None:
        found = overrule(lake, found, decision=chosen.override, reason=reason, by=who(), now=datetime.now(UTC))
    if chosen.json:
        print_json(found)
    else:
        _print(found)
    return {"go": Exit.DONE, "hold": Exit.HOLD, "halt": Exit.HALT}[found["decision"]]


def _print(found: JSON) -> None:
    from fleetcrash.gate.wording import bound_text, quoted

    print(f"{found['decision'].upper()}  {readable(found['update_id'])}  as of {found['as_of']}")
    print(*map(readable, textwrap.wrap(found["reason"], _WIDTH)), sep="\n")
    if not found["rings"]:
        return
    names = ["(no ring)" if one["ring"] is None else readable(quoted(one["ring"])) for one in found["rings"]]
    width = max(4, *map(len, names))
    print(f"\n{'ring':{width}}  decision   exposed  host-hours  crashed  went dark  expected  excess below")
    for name, one in zip(names, found["rings"], strict=True):
        print(
            f"{name:{width}}  {one['decision']:8}  {one['exposed']:8,}  {one['host_hours']:10,.1f}"
            f"  {one['crashed']:7,}  {one['dark']:9,}  {one['expected']:8.2f}  {bound_text(one['upper_bound'])}"
            + ("" if one["bound_from"] == "ring" else " (all rings)")
        )
    if found["decision"] == "hold" and all(one["decision"] == "go" for one in found["rings"]):
        print("Each ring by itself may go; what holds the rollout as a whole is said above.")
    print("excess below: the bound, a share of hosts hit beyond the usual, at 95 % however often one asks")
