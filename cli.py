"""The front door: every command of fleetcrash, and nothing but the way to it.

``fleetcrash COMMAND`` and ``python -m cli COMMAND`` are the same. Results go to stdout, progress and diagnostics to
stderr. Each command imports what it needs when it runs, so that asking for help is quick.
"""

from __future__ import annotations

import argparse
import csv
import json
import logging
import os
import signal
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from enum import IntEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fleetcrash.errors import BadArgument, FleetcrashError
from fleetcrash.times import parse_time, time_text

if TYPE_CHECKING:
    from fleetcrash.store import Lake
    from ingest.report import LoadReport

LAKE_VARIABLE = "FLEETCRASH_LAKE"
DEFAULT_LAKE = "lake"
DEFAULT_PORT = 8501

JSON = dict[str, Any]


class Exit(IntEnum):
    """Exit statuses that scripts may rely on."""

    DONE = 0
    SOME_QUARANTINED = 1
    BAD_USE = 2
    OUR_FAULT = 5


class Progress:
    """A line on stderr for work that takes more than two seconds, on a terminal only."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._started = time.monotonic()
        self._shown = False

    def __call__(self, done: int, total: int | None) -> None:
        """Show how far the work is.

        Args:
            done, total: in the same unit; a total that is not known is None.
        """
        elapsed = time.monotonic() - self._started
        if elapsed < 2.0 or not sys.stderr.isatty():
            return
        part = f"{done / total:4.0%}, {elapsed * (total / max(done, 1) - 1):,.0f} s left" if total else f"{done:,}"
        print(f"\r{self._what}: {part}   ", end="", file=sys.stderr, flush=True)
        self._shown = True

    def end(self) -> None:
        """Clear the line."""
        if self._shown:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status."""
    parser = _parser()
    chosen = parser.parse_args(arguments)
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(message)s")
    run: Callable[[argparse.Namespace], int] = chosen.run
    stop = Stop()
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # ignored where a shell runs us in the background
        signal.signal(signal.SIGINT, stop)
    if chosen.serves:
        for name in ("SIGTERM", "SIGHUP"):  # a closed terminal must not leave the processes beside us behind
            if hasattr(signal, name):
                signal.signal(getattr(signal, name), stop)
    try:
        return run(chosen)
    except FleetcrashError as error:
        print(f"fleetcrash: {error}", file=sys.stderr)
        return Exit.BAD_USE
    except KeyboardInterrupt:
        return _stopped(stop, serves=chosen.serves)
    except BrokenPipeError:
        # Whoever read our output has seen enough; Python would complain once more while it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return Exit.DONE
    except Exception:
        if stop.asked_by is not None:  # an engine in the middle of a query says so in an error of its own
            return _stopped(stop, serves=chosen.serves)
        logging.exception("fleetcrash: this is a fault of ours, not of your data. The lake is whole. Please report:")
        return Exit.OUR_FAULT


class Stop:
    """A handler of signals: Ctrl-C, or a polite request to end, interrupts the work and is remembered."""

    def __init__(self) -> None:
        self.asked_by: int | None = None

    def __call__(self, number: int, _frame: object) -> None:
        """Interrupt."""
        self.asked_by = number
        raise KeyboardInterrupt


def _stopped(stop: Stop, *, serves: bool) -> int:
    """Being stopped is the ordinary end of a command that serves, and cuts any other short."""
    if stop.asked_by == signal.SIGINT:
        print("\nStopped. The lake is whole.", file=sys.stderr)
    return Exit.DONE if serves else 128 + signal.SIGINT


# -- the commands


def simulate(chosen: argparse.Namespace) -> int:
    """Write a scenario's records and their truth."""
    from sample_data.simulator import simulate as write_fleet

    summary = write_fleet(chosen.scenario, chosen.out, hosts=chosen.hosts, seed=chosen.seed, days=chosen.days)
    _print_json({"scenario": summary.scenario, "out": str(summary.folder), "seed": summary.seed,
                 "hosts": summary.hosts, "records": dict(summary.records)})  # fmt: skip
    return Exit.DONE


def load(chosen: argparse.Namespace) -> int:
    """Load records into the lake."""
    from ingest.load import load as load_sources
    from ingest.report import IncompleteLoad
    from ingest.report import Progress as LoadProgress

    lake = _lake(chosen, create=True)
    shown = Progress("Loading")

    def progress(at: LoadProgress) -> None:
        shown(at.bytes_done, at.bytes_total)

    try:
        report = load_sources(lake, chosen.paths, now=datetime.now(UTC), progress=progress)
    except IncompleteLoad as error:
        shown.end()
        _print_load(error.report, as_json=chosen.json)
        for problem in error.problems:
            print(f"fleetcrash: {problem}", file=sys.stderr)
        return Exit.BAD_USE
    shown.end()
    _print_load(report, as_json=chosen.json)
    return Exit.SOME_QUARANTINED if report.quarantined else Exit.DONE


def incidents(chosen: argparse.Namespace) -> int:
    """Say what is wrong with the fleet."""
    from fleetcrash.attribution.backtest import incidents as find_incidents

    shown = Progress("Judging")
    found = find_incidents(_lake(chosen), as_of=_time(chosen.as_of), progress=shown)
    shown.end()
    _print_incidents(found, as_json=chosen.json)
    return Exit.DONE


def backtest(chosen: argparse.Namespace) -> int:
    """Say what the monitor would have said, and when."""
    from fleetcrash.attribution.backtest import Span
    from fleetcrash.attribution.backtest import backtest as run_backtest

    span = Span(since=_time(chosen.since), until=_time(chosen.until), step_minutes=_minutes(chosen.step))
    shown = Progress("Replaying")
    found = run_backtest(_lake(chosen), span, progress=shown)
    shown.end()
    _print_incidents(found, as_json=chosen.json)
    return Exit.DONE


def hosts(chosen: argparse.Namespace) -> int:
    """List the hosts that an update concerns, by state."""
    from fleetcrash.attribution.hosts import list_hosts
    from fleetcrash.attribution.impact import HOST_COLUMNS

    found = list_hosts(
        _lake(chosen),
        chosen.update_id,
        as_of=_time(chosen.as_of),
        condition=None if chosen.condition is None else _json_argument("--condition", chosen.condition),
        state=chosen.state,
    )
    if chosen.json:
        _print_json(found)
        return Exit.DONE
    writer = csv.DictWriter(sys.stdout, HOST_COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(found["hosts"])
    return Exit.DONE


def monitor(chosen: argparse.Namespace) -> int:
    """Watch the lake and keep what is found in it."""
    from monitor.loop import watch

    lake = _lake(chosen, create=True)
    print(f"Watching {lake.root} every {chosen.interval:g} s. Ctrl-C stops.", file=sys.stderr)
    watch(lake, interval_s=chosen.interval)
    return Exit.DONE


def dashboard(chosen: argparse.Namespace) -> int:
    """Serve the pages, with a monitor beside them."""
    from monitor.children import Children

    lake = _lake(chosen, create=not chosen.no_monitor)
    with Children() as beside:
        _start_dashboard(beside, lake, chosen.port)
        if not chosen.no_monitor:
            _start_monitor(beside, lake, interval_s=15.0)
        print(f"Dashboard: http://127.0.0.1:{chosen.port}   (Ctrl-C stops)", flush=True)
        beside.wait()
    return Exit.DONE


def demo(chosen: argparse.Namespace) -> int:
    """Replay an outage live and show it."""
    from monitor.children import Children, check_port
    from sample_data.replay import records_known_by, replay
    from sample_data.sample import folder_of, opening_of

    check_port(chosen.port)
    folder = folder_of(chosen.scenario)
    start = opening_of(folder)
    lake = _demo_lake(chosen)
    source = f"replay of {folder.name}"
    with Children() as beside:
        _start_dashboard(beside, lake, chosen.port)
        print(f"A synthetic fleet, {chosen.scenario}: loading what was known by {time_text(start)} ...", flush=True)
        _feed(lake, records_known_by(folder, start), batch_id="history", source=source)
        _start_monitor(beside, lake, interval_s=1.0)
        beside.wait_until_ready(f"http://127.0.0.1:{chosen.port}/_stcore/health")
        beside.wait_for(lambda: lake.committed("incident", "monitor"), "The monitor has judged nothing")
        address = f"http://127.0.0.1:{chosen.port}/?range={_DEMO_RANGE}"
        print(
            f"Dashboard: {address}\nReplaying at {chosen.speed:g} fleet seconds a second. Ctrl-C stops.",
            flush=True,
        )
        if not chosen.no_browser and (os.environ.get("DISPLAY") or sys.platform in ("darwin", "win32")):
            import webbrowser

            webbrowser.open(address)
        step = timedelta(seconds=chosen.speed)
        began = time.monotonic()
        for beat, (instant, tables) in enumerate(replay(folder, start, step=step), start=1):
            if tables:
                _feed(lake, tables, batch_id=f"replay-{time_text(instant)}", source=source)
            if beat % _COMPACT_EVERY_BEATS == 0:
                lake.compact()
            beside.check()
            time.sleep(max(began + beat - time.monotonic(), 0.0))
        print("The replay is over; the dashboard stays until Ctrl-C.", flush=True)
        beside.wait()
    return Exit.DONE


_DEMO_RANGE = "6h"  # the outage takes an hour: in the usual 24 it would be a line at the right edge
_COMPACT_EVERY_BEATS = 60


def _feed(lake: Lake, tables: Any, *, batch_id: str, source: str) -> None:
    from ingest.load import append_tables

    append_tables(lake, tables, batch_id=batch_id, source=source, now=datetime.now(UTC))


def _start_dashboard(beside: Any, lake: Lake, port: int) -> None:
    from dashboard.serve import command, environment
    from monitor.children import check_port

    check_port(port)
    beside.start("dashboard", command(lake.root, port=port), environment=environment(lake.root), quiet=True)


def _start_monitor(beside: Any, lake: Lake, *, interval_s: float) -> None:
    root = Path(__file__).resolve().parent
    path = os.pathsep.join(filter(None, (str(root), os.environ.get("PYTHONPATH", ""))))
    command = [sys.executable, "-m", "cli", "monitor", "--lake", str(lake.root), "--interval", str(interval_s)]
    beside.start("monitor", command, environment={**os.environ, "PYTHONPATH": path})


def _demo_lake(chosen: argparse.Namespace) -> Lake:
    """A new lake for a demo, in place of that of an earlier one and of nothing else."""
    import shutil

    from fleetcrash.store import Lake

    root = Path(chosen.lake or DEFAULT_DEMO_LAKE)
    mark = root / ".made-by-demo"
    if root.exists() and not mark.exists() and any(root.iterdir()):
        raise BadArgument(f"{root} was not made by the demo, so the demo leaves it alone. Choose another --lake.")
    shutil.rmtree(root, ignore_errors=True)
    lake = Lake.create(root)
    mark.touch()
    return lake


DEFAULT_DEMO_LAKE = "lake-demo"

# -- what goes in and out


def _lake_path(chosen: argparse.Namespace) -> Path:
    return Path(chosen.lake or os.environ.get(LAKE_VARIABLE) or DEFAULT_LAKE)


def _lake(chosen: argparse.Namespace, *, create: bool = False) -> Lake:
    from fleetcrash.store import Lake

    return Lake.create(_lake_path(chosen)) if create else Lake.open(_lake_path(chosen))


def _time(text: str | None) -> datetime | None:
    return None if text is None else parse_time(text)


def _minutes(text: str) -> int:
    number, unit = text[:-1], text[-1:]
    if not number.isdigit() or unit not in ("m", "h") or int(number) < 1:
        raise BadArgument(f"--step {text!r} is not understood; wanted whole minutes or hours, such as 1m or 1h.")
    return int(number) * (60 if unit == "h" else 1)


def _json_argument(name: str, text: str) -> object:
    try:
        found: object = json.loads(text)
    except ValueError as error:
        raise BadArgument(f'{name} is not JSON ({error}); wanted such as {{"os_type": "windows"}}.') from None
    return found


def _print_json(document: JSON) -> None:
    print(json.dumps(document, indent=2, allow_nan=False))


def _print_load(report: LoadReport, *, as_json: bool) -> None:
    if as_json:
        _print_json(report.as_json())
        return
    rate = report.read / report.seconds if report.seconds else 0.0
    print(
        f"{report.read:,} read = {report.accepted:,} accepted + {report.duplicates:,} duplicates "
        f"+ {report.quarantined:,} quarantined"
    )
    from_each = "1 source" if len(report.sources) == 1 else f"{len(report.sources)} sources"
    print(f"  from {from_each} in {report.seconds:.1f} s ({rate:,.0f} records/s)")
    for reason, count in report.reasons.items():
        print(f"  quarantined {count:,}: {reason}")
    if report.unknown_fields:
        print(f"  ignored fields: {', '.join(report.unknown_fields)}")


def _print_incidents(found: JSON, *, as_json: bool) -> None:
    if as_json:
        _print_json(found)
        return
    print(f"As of {found['as_of']}: {len(found['incidents'])} incident(s).")
    for incident in found["incidents"]:
        ended = f", closed {incident['closed_at']}" if incident["closed_at"] else ""
        print(f"\n{incident['incident_id']}  {incident['verdict']}  (alarm {incident['alarm_at']}{ended})")
        print(f"  {incident['summary']}")
        impact = incident["impact"]
        if impact["exposed"]:
            states = ", ".join(f"{count:,} {name.replace('_', ' ')}" for name, count in impact.items())
            print(f"  hosts: {states}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="fleetcrash",
        description="Names the one update behind a crash spike, its condition, its evidence and the hosts at risk.",
        epilog="Start with: fleetcrash demo",
        formatter_class=lambda prog: argparse.HelpFormatter(prog, max_help_position=14),
    )
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)

    def command(
        run: Callable[[argparse.Namespace], int], example: str, *, lake: bool = True, serves: bool = False
    ) -> argparse.ArgumentParser:
        text = (run.__doc__ or "").strip()
        one = commands.add_parser(
            run.__name__,
            help=text.rstrip(".").lower(),
            description=text,
            epilog=f"example:\n  {example}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        one.set_defaults(run=run, serves=serves)
        if lake:
            one.add_argument(
                "--lake", metavar="DIR", help=f"the store (default: ${LAKE_VARIABLE}, else ./{DEFAULT_LAKE})"
            )
        return one

    def takes(one: argparse.ArgumentParser, options: Iterable[str]) -> None:
        for option in options:
            one.add_argument(option, **_OPTIONS[option])

    one = command(demo, "fleetcrash demo --speed 120", serves=True)
    one.add_argument("--scenario", default="channel-file-291", help="a scenario's name (default: %(default)s)")
    one.add_argument("--speed", type=_positive, default=60.0, help="fleet seconds a second (default: 60)")
    takes(one, ["--port"])
    one.add_argument("--no-browser", action="store_true", help="only print the address")

    one = command(simulate, "fleetcrash simulate channel-file-291 --out fleet --hosts 20000 --seed 1", lake=False)
    one.add_argument("scenario", metavar="SCENARIO", help="a scenario's name, or a TOML file")
    one.add_argument("--out", metavar="DIR", required=True, help="folder to write to")
    one.add_argument("--hosts", type=int, help="size of the fleet (default: the scenario's)")
    one.add_argument("--seed", type=int, default=1, help="same seed, same records (default: 1)")
    one.add_argument("--days", type=int, help="days, history included (default: the scenario's)")

    one = command(load, "fleetcrash load fleet/ crashes.ndjson")
    one.add_argument("paths", nargs="+", metavar="PATH", help="files, folders, or - for NDJSON on stdin")
    takes(one, ["--json"])

    one = command(monitor, "fleetcrash monitor --lake lake", serves=True)
    one.add_argument("--interval", type=_positive, default=15.0, help="seconds between looks (default: 15)")

    one = command(dashboard, "fleetcrash dashboard --lake lake", serves=True)
    takes(one, ["--port"])
    one.add_argument("--no-monitor", action="store_true", help="only show; another process watches")

    one = command(incidents, "fleetcrash incidents --as-of 2024-07-19T04:20:00Z --json")
    takes(one, ["--as-of", "--json"])

    one = command(backtest, "fleetcrash backtest --from 2024-07-19T00:00:00Z --to 2024-07-19T06:00:00Z")
    one.add_argument("--from", dest="since", metavar="T0", help="list incidents that alarm after it")
    one.add_argument("--to", dest="until", metavar="T1", help="judge up to here (default: the newest known time)")
    one.add_argument("--step", default="1m", help="between looks, such as 1m or 1h (default: 1m)")
    takes(one, ["--json"])

    one = command(hosts, "fleetcrash hosts cf-291-20240719 --state at_risk --csv")
    one.add_argument("update_id", metavar="UPDATE_ID")
    one.add_argument("--state", help="only hosts in this state")
    one.add_argument("--condition", metavar="JSON", help="which hosts (default: as the incident says, else all)")
    one.add_argument("--csv", action="store_true", help="CSV, which is the default")
    takes(one, ["--as-of", "--json"])
    return parser


_OPTIONS: dict[str, dict[str, Any]] = {
    "--json": {"action": "store_true", "help": "one JSON document on stdout"},
    "--as-of": {"metavar": "T", "help": "judge from what was known then (default: the newest known time)"},
    "--port": {"type": int, "default": DEFAULT_PORT, "help": "of the dashboard on 127.0.0.1 (default: %(default)s)"},
}


def _positive(text: str) -> float:
    number = float(text)
    if not 0 < number < 1e6:
        raise argparse.ArgumentTypeError(f"{text} is not above zero")
    return number


if __name__ == "__main__":
    sys.exit(main())
