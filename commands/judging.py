"""Commands that answer questions: incidents, backtests, hosts concerned, and crash clusters."""

from __future__ import annotations

import argparse
import json

from commands.options import COMMON, Commands, duration, lake_of, time_of
from commands.output import Exit, Progress, print_csv, print_json
from fleetcrash.documents import JSON
from fleetcrash.errors import BadArgument
from fleetcrash.terminal import readable

_LATE = """\
{crashes_told_late:,} of {crashes_known:,} crashes were received more than an hour after they happened. Until then
nobody knew of them, nor which hosts were at risk: little can be said of that time. To judge the past, leave out
`received_at` or say in it when each record came; `load` and `serve --replay` keep it."""

_STATES = "recovered, dark, crashed, cleared, at_risk or pending"  # those of State, which takes long to import


def add_to(commands: Commands) -> None:
    """Add the commands of this file."""
    commands.add(
        incidents, "--lake", "--as-of", "--json", example="fleetcrash incidents --as-of 2024-07-19T04:20:00Z --json"
    )

    one = commands.add(
        backtest,
        "--lake",
        "--json",
        example="fleetcrash backtest --from 2024-07-19T00:00:00Z --to 2024-07-19T06:00:00Z",
    )
    one.add_argument("--from", dest="since", metavar="T0", help="list incidents that alarm after it")
    one.add_argument("--to", dest="until", metavar="T1", help="judge up to here (default: the newest known time)")
    one.add_argument(
        "--step",
        metavar="TIME",
        type=duration("mhd"),
        default=60.0,
        help="between looks, such as 1m or 1h (default: 1m)",
    )

    one = commands.add(hosts, "--lake", "--as-of", example="fleetcrash hosts content-291-32 --state at_risk --csv")
    one.add_argument("concerned_by", metavar="UPDATE_ID|INCIDENT_ID")
    one.add_argument("--state", help=f"only hosts in this state: {_STATES}")
    one.add_argument("--condition", metavar="JSON", help="which hosts (default: as the incident says, else all)")
    form = one.add_mutually_exclusive_group()
    form.add_argument("--csv", action="store_true", help="CSV, which is the default; ' stands before a formula")
    form.add_argument("--json", **COMMON["--json"])

    commands.add(
        clusters, "--lake", "--as-of", "--json", example="fleetcrash clusters --as-of 2024-07-19T04:20:00Z --json"
    )
    one = commands.add(explain, "--lake", "--as-of", "--json", example="fleetcrash explain crash-000001")
    one.add_argument("crash_id", metavar="CRASH_ID")


def incidents(chosen: argparse.Namespace) -> int:
    """Say what is wrong with the fleet."""
    from fleetcrash.attribution.backtest import incidents as find_incidents

    with Progress("Judging") as shown:
        found = find_incidents(lake_of(chosen), as_of=time_of(chosen.as_of), progress=shown)
    _print_incidents(found, as_json=chosen.json)
    return Exit.DONE


def backtest(chosen: argparse.Namespace) -> int:
    """Say what the monitor would have said, and when."""
    from fleetcrash.attribution.backtest import Span
    from fleetcrash.attribution.backtest import backtest as run_backtest

    span = Span(since=time_of(chosen.since), until=time_of(chosen.until), step_minutes=int(chosen.step // 60))
    with Progress("Replaying") as shown:
        found = run_backtest(lake_of(chosen), span, progress=shown)
    _print_incidents(found, as_json=chosen.json)
    return Exit.DONE


def hosts(chosen: argparse.Namespace) -> int:
    """List the hosts that an update concerns, by state; or those that an incident hit, whatever did it."""
    from fleetcrash.attribution.hosts import columns_of, list_hosts

    condition = None if chosen.condition is None else _condition(chosen.condition)
    with Progress("Judging") as shown:
        found = list_hosts(
            lake_of(chosen),
            chosen.concerned_by,
            as_of=time_of(chosen.as_of),
            condition=condition,
            state=chosen.state,
            as_named=chosen.condition is None,
            progress=shown,
        )
    if chosen.json:
        print_json(found)
        return Exit.DONE
    print_csv(found["hosts"], columns_of(found))
    return Exit.DONE


def clusters(chosen: argparse.Namespace) -> int:
    """List the crash clusters, most hosts first."""
    from fleetcrash.clustering.documents import clusters_document

    found = clusters_document(lake_of(chosen), as_of=time_of(chosen.as_of))
    if chosen.json:
        print_json(found)
        return Exit.DONE
    print(f"As of {found['as_of']}: {len(found['clusters'])} crash cluster(s).")
    for cluster in found["clusters"]:
        print(f"\n{cluster['cluster_id']}  {cluster['state']}  {readable(cluster['title'])}")
        systems = ", ".join(cluster["os_type"])
        print(f"  hosts {cluster['hosts']:,}, crashes {cluster['crashes']:,}, {systems}", end="")
        print(f", {cluster['first_seen']} to {cluster['last_seen']}")
    return Exit.DONE


def explain(chosen: argparse.Namespace) -> int:
    """Say why a crash is in its cluster."""
    from fleetcrash.clustering.documents import explain_document

    found = explain_document(lake_of(chosen), chosen.crash_id, as_of=time_of(chosen.as_of))
    if chosen.json:
        print_json(found)
        return Exit.DONE
    print(f"{readable(found['crash_id'])} is in {found['cluster_id']}: {readable(found['title'])}\n")
    width = max(len(step["rule"]) for step in found["steps"])
    for step in found["steps"]:
        print(f"{step['rule']:{width}}  {readable(step['saw'])} -> {readable(step['made'])}")
    print(f"\nfamily     {readable(found['family'])}\nsignature  {readable(found['signature'])}")
    for number, frame in enumerate(found["frames"]):
        print(f"{number:9}  {readable(frame['name'])}  ({frame['role']})")
    return Exit.DONE


def _condition(text: str) -> object:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadArgument(f'--condition is not JSON ({error}); wanted such as {{"os_type": "windows"}}.') from None


def _print_incidents(found: JSON, *, as_json: bool) -> None:
    if as_json:
        print_json(found)
        return
    print(f"As of {found['as_of']}: {len(found['incidents'])} incident(s).")
    if found["crashes_told_late"] > found["crashes_known"] / 2:
        print(_LATE.format(**found))
    for incident in found["incidents"]:
        ended = f", closed {incident['closed_at']}" if incident["closed_at"] else ""
        print(f"\n{incident['incident_id']}  {incident['verdict']}  (alarm {incident['alarm_at']}{ended})")
        print(f"  {readable(incident['summary'])}")
        impact = incident["impact"]
        if impact["exposed"]:
            states = ", ".join(f"{count:,} {name.replace('_', ' ')}" for name, count in impact.items())
            print(f"  hosts: {states}")
