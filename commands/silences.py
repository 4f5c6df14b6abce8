"""Silences: no alerts about what is known or planned, for a while."""

from __future__ import annotations

import argparse
import time
from typing import TYPE_CHECKING

from commands.options import Commands, duration, lake_of, who, whole
from commands.output import Exit, print_json
from fleetcrash.errors import BadArgument
from fleetcrash.terminal import readable

if TYPE_CHECKING:
    from monitor.alerts.outbox import Outbox
    from monitor.alerts.silences import Silence


def add_to(commands: Commands) -> None:
    """Add the group of commands."""
    group = commands.group(
        "silence", "Hear nothing of an update, an incident or anything, for a while", example="fleetcrash silence list"
    )
    example = "fleetcrash silence add --for 2h --update content-291-32 --reason rolled-back"
    one = group.add(add, "--lake", "--json", example=example)
    one.add_argument("--for", dest="for_s", metavar="TIME", type=duration(), required=True, help="such as 30m, 2h, 1d")
    what = one.add_mutually_exclusive_group()
    what.add_argument("--update", metavar="ID", help="whatever incident names it")
    what.add_argument("--incident", metavar="ID", help="one incident")
    what.add_argument("all", nargs="?", choices=["all"], help="everything, the dead man's alerts among it")
    one.add_argument("--reason", required=True, metavar="TEXT", help="for whoever asks later")
    one = group.add(list_, "--lake", "--json", example="fleetcrash silence list")
    one.add_argument("--ended", action="store_true", help="also those that hold no more")
    one = group.add(end, "--lake", "--json", example="fleetcrash silence end 3")
    one.add_argument("number", metavar="ID", type=whole(), help="as the list has it")


def add(chosen: argparse.Namespace) -> int:
    """Begin a silence: alerts are kept, not sent, and those that still stand are sent when it is over."""
    from monitor.alerts import silences
    from monitor.alerts.silences import Scope

    scope, name = Scope.ALL, ""
    if chosen.update is not None:
        scope, name = Scope.UPDATE, chosen.update
    elif chosen.incident is not None:
        scope, name = Scope.INCIDENT, chosen.incident
    elif chosen.all is None:
        raise BadArgument("Silence what? Nothing was silenced. Say --update ID, --incident ID, or all.")
    now = time.time()
    with _outbox(chosen) as outbox:
        made = silences.add(outbox, scope, name, for_s=chosen.for_s, reason=chosen.reason, by=who(), now=now)
    return _shown(chosen, made, now)


def list_(chosen: argparse.Namespace) -> int:
    """List the silences that hold."""
    from monitor.alerts import silences
    from monitor.alerts.outbox import is_kept

    now = time.time()
    found: list[Silence] = []
    if is_kept(lake_of(chosen).root):
        with _outbox(chosen) as outbox:
            found = [one for one in silences.listed(outbox) if chosen.ended or one.is_active(now)]
    if chosen.json:
        print_json({"schema": 1, "silences": [_as_json(one, now) for one in found]})
        return Exit.DONE
    for one in found:
        print(_line(one, now))
    if not found:
        print("No silence holds.")
    return Exit.DONE


def end(chosen: argparse.Namespace) -> int:
    """End a silence early; what it held back and still stands is sent."""
    from monitor.alerts import silences

    now = time.time()
    with _outbox(chosen) as outbox:
        ended = silences.end(outbox, chosen.number, by=who(), now=now)
    return _shown(chosen, ended, now)


def _shown(chosen: argparse.Namespace, one: Silence, now: float) -> int:
    if chosen.json:
        print_json({"schema": 1, **_as_json(one, now)})
    else:
        print(_line(one, now))
    return Exit.DONE


def _as_json(one: Silence, now: float) -> dict[str, object]:
    from monitor.alerts.message import instant

    return {
        "silence_id": one.number,
        "scope": str(one.scope),
        "name": one.name or None,
        "reason": one.reason,
        "made_by": one.made_by,
        "made_at": instant(one.made_at),
        "ends_at": instant(one.ends_at),
        "ended_by": one.ended_by,
        "ended_at": None if one.ended_at is None else instant(one.ended_at),
        "active": one.is_active(now),
    }


def _line(one: Silence, now: float) -> str:
    from monitor.alerts.message import instant

    what = f"{one.scope} {one.name}".strip()
    if one.ended_at is not None:
        until = f"ended {instant(one.ended_at)} by {one.ended_by}"
    else:
        until = f"until {instant(one.ends_at)}" if one.is_active(now) else f"over since {instant(one.ends_at)}"
    return readable(f"{one.number}  {what}  {until}  by {one.made_by}: {one.reason}")


def _outbox(chosen: argparse.Namespace) -> Outbox:
    from monitor.alerts.outbox import Outbox

    return Outbox(lake_of(chosen).root)
