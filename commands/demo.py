"""The demo: an outage sent live to a collector, with the dashboard and the monitor beside it."""

from __future__ import annotations

import argparse
import fcntl
import os
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from commands.options import ALERTS, Commands, check_lake_path, positive
from commands.output import Exit, Progress
from commands.ports import check_port
from commands.processes import start_dashboard, start_monitor
from commands.replaying import Sender, collecting, receiving
from fleetcrash.errors import BadArgument, LakeError
from fleetcrash.records import FROM_QUARANTINE, REPLAYING_COLLECTOR
from fleetcrash.terminal import readable
from fleetcrash.times import time_text

if TYPE_CHECKING:
    from fleetcrash.store import Lake
    from monitor.alerts.config import Config

DEFAULT_DEMO_LAKE = "lake-demo"
DEMO_FLEETS = "lake-demo-fleets"
_DEMO_RANGE = "6h"  # the outage takes an hour; in the usual 24 it would be a thin line at the right edge
_MARK = ".made-by-demo"  # locked while a demo runs
# Id of the batch that holds what was known before the replay.
_HISTORY = "history"
# Name of the receiver that prints the alerts.
_RECEIVER = "demo"


def add_to(commands: Commands) -> None:
    """Add the demo."""
    one = commands.add(demo, "--port", example="fleetcrash demo --speed 120", serves=True)
    one.add_argument(
        "--lake", metavar="DIR", help=f"the demo's own store, emptied at each start (default: ./{DEFAULT_DEMO_LAKE})"
    )
    one.add_argument(
        "--scenario",
        metavar="NAME",
        default="channel-file-291",
        help="a scenario that comes along (default: channel-file-291); '?' is answered with their names; "
        f"all but the default are simulated on first use and kept in {DEMO_FLEETS}",
    )
    one.add_argument("--speed", type=positive, default=60.0, help="fleet seconds a second (default: 60)")
    told = "who else is told of the outage, in TOML, by other names than demo; may be given again"
    one.add_argument("--alerts", **{**ALERTS, "help": told})
    one.add_argument("--no-browser", action="store_true", help="only print the address")


def demo(chosen: argparse.Namespace) -> int:
    """Replay an outage live and show it."""
    from ingest.load import append_tables
    from monitor.alerts.config import read_config
    from monitor.children import Children
    from sample_data.replay import records_known_by, replay
    from sample_data.sample import DEMO_HOSTS, folder_of, opening_of

    def on_first_use(folder: Path) -> Progress:
        print(f"Simulating {DEMO_HOSTS:,} hosts of {chosen.scenario}, once; kept in {folder} ...", flush=True)
        return shown

    port = check_port(chosen.port)
    if chosen.alerts:
        _check_not_ours(read_config([Path(file) for file in chosen.alerts]))
    with Progress("Simulating") as shown:
        folder = folder_of(chosen.scenario, cache=Path(DEMO_FLEETS), on_first_use=on_first_use)
    start = opening_of(folder)
    source = f"replay of {folder.name}"
    with _emptied_lake(chosen) as lake, Children() as beside, receiving(_print_alert) as webhook:
        start_dashboard(beside, lake, port)
        print(f"A synthetic fleet, {chosen.scenario}: loading what was known by {time_text(start)} ...", flush=True)
        history = records_known_by(folder, start)  # days of it: loaded at once, as replaying them would take too long
        append_tables(lake, history, batch_id=_HISTORY, source=source, now=datetime.now(UTC))
        own = _alerts_file(lake, webhook, port)
        start_monitor(beside, lake, interval_s=2.0, alerts=[own, *(chosen.alerts or ())])
        beside.wait_until_ready(f"http://127.0.0.1:{port}/_stcore/health")
        beside.wait_for(lambda: lake.committed("incident", "monitor"), "The monitor has judged nothing")
        address = f"http://127.0.0.1:{port}/?range={_DEMO_RANGE}"
        print(
            f"Dashboard: {address}\nReplaying at {chosen.speed:g} fleet seconds a second. Ctrl-C stops.",
            flush=True,
        )
        if not chosen.no_browser and (os.environ.get("DISPLAY") or sys.platform in ("darwin", "win32")):
            import webbrowser

            webbrowser.open(address)
        with collecting(lake) as door:
            sender = Sender(door)
            step = timedelta(seconds=chosen.speed)
            began = time.monotonic()
            for beat, (instant, tables) in enumerate(replay(folder, start, step=step), start=1):
                if tables:
                    sender.send(tables, f"replay-{time_text(instant)}")
                beside.check()
                time.sleep(max(began + beat - time.monotonic(), 0.0))
        print("The replay is over; the dashboard stays until Ctrl-C.", flush=True)
        beside.wait()
    return Exit.DONE


@contextmanager
def _emptied_lake(chosen: argparse.Namespace) -> Iterator[Lake]:
    """A new lake for a demo. It replaces the lake of an earlier demo, and nothing else.

    No other demo takes it before the context is left. A mark by which demos recognise their lakes is made first and
    stays, so that a lake is recognised even if its demo was cut short.

    Raises:
        BadArgument: something else is there, a demo or a collector is using it, or it has records from elsewhere.
        LakeError: no lake can be there, or the source of its records is unknown.
    """
    from fleetcrash.store import Lake
    from fleetcrash.store.paths import SPOOL, SPOOL_LOCK, check_path

    root = check_lake_path(Path(chosen.lake or DEFAULT_DEMO_LAKE))
    check_path(root)
    mark = root / _MARK
    with ExitStack() as held:
        try:
            if root.exists() and not mark.exists() and any(root.iterdir()):
                said = f"{root} was not made by the demo, so the demo leaves it alone."
                raise BadArgument(f"{said} Choose another --lake.")
            root.mkdir(parents=True, exist_ok=True)
            _lock(mark, held, f"Another demo is running on {root}")
            with ExitStack() as meanwhile:
                spool = root / SPOOL / SPOOL_LOCK
                if spool.exists():
                    _lock(spool, meanwhile, f"A collector is running on {root}")
                _check_all_ours(Lake(root))
                for path in root.iterdir():
                    if path.is_dir() and not path.is_symlink():
                        shutil.rmtree(path)
                    elif path != mark:
                        path.unlink()
        except LakeError:
            raise
        except OSError as error:
            said = f"{root} cannot be emptied for a demo: {error.strerror}. Nothing was started."
            raise BadArgument(f"{said} Choose another --lake.") from error
        yield Lake.create(root)


def _lock(path: Path, held: ExitStack, otherwise: str) -> None:
    """Lock a file until ``held`` is closed; the kernel frees the lock however the process ends.

    Args:
        otherwise: beginning of the error where another process has it.
    Raises:
        BadArgument: another process has it.
    """
    descriptor = os.open(path, os.O_CREAT | os.O_RDWR, 0o600)
    held.callback(os.close, descriptor)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise BadArgument(f"{otherwise}. Nothing was changed. End it, or choose another --lake.") from None


def _check_all_ours(lake: Lake) -> None:
    """Check that everything in a lake came from a demo.

    Raises:
        BadArgument: something came from elsewhere, such as a load by the user.
        LakeError: the books cannot be read, so that it is unknown.
    """
    from fleetcrash.store.books import sources

    if not lake.has("batch"):  # an earlier demo was cut short before it brought anything
        return
    found = sources(lake)
    others = sorted(
        source or batch_id
        for batch_id, source in found.items()
        if batch_id != _HISTORY and (source or "").removeprefix(FROM_QUARANTINE) != REPLAYING_COLLECTOR
    )
    if others:
        raise BadArgument(
            f"{lake.root} holds records that no demo brought, of {len(others)} of its {len(found)} batches, such as "
            f"{readable(others[0])}. Nothing was changed. Choose another --lake, or delete the folder yourself."
        )


def _check_not_ours(config: Config) -> None:
    """Check that nobody else who is told has the name of the demo's own receiver; of two neither would be told.

    Raises:
        BadArgument: somebody has.
    """
    if any(one.name == _RECEIVER for one in config.receivers):
        raise BadArgument(
            f"--alerts names a receiver {_RECEIVER}, as the demo's own is called. Nothing was started. "
            f"Give [receivers.{_RECEIVER}] another name."
        )


def _alerts_file(lake: Lake, webhook: str, port: int) -> str:
    """A file that makes the monitor send alerts to us as well; not the lake's own, which would outlive the demo."""
    path = lake.root / ".demo-alerts.toml"
    dashboard = f'dashboard = "http://127.0.0.1:{port}"'
    path.write_text(f'{dashboard}\n\n[receivers.{_RECEIVER}]\ntype = "webhook"\nurl = "{webhook}"\n', encoding="utf-8")
    return str(path)


def _print_alert(document: dict[str, Any]) -> None:
    print(f"Alert received: {document['alert']} {document['event']}. {document['summary']}", flush=True)
