"""Commands that go on until they are stopped: the collector, the monitor and the dashboard."""

from __future__ import annotations

import argparse
import os
import re
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, nullcontext
from functools import partial
from pathlib import Path
from shlex import quote
from types import FrameType
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from commands.options import ALERTS, Commands, is_loopback, lake_of, lake_path, positive, whole
from commands.output import Exit
from commands.ports import check_port, listening, port_from
from commands.processes import start_dashboard, start_monitor
from fleetcrash.errors import BadArgument

if TYPE_CHECKING:
    from ssl import SSLContext

    from dashboard.access import SignIn
    from fleetcrash.store import Lake
    from ingest.collector.limits import Limits
    from ingest.collector.privacy import Privacy
    from monitor.alerts.config import Config

_LOOK_EVERY_S = 15.0
_GLANCE_S = 1.0

_METRICS: dict[str, Any] = {
    "metavar": "PORT",
    "type": port_from(1),  # of 0 nobody would learn which one it is
    "help": "of this machine, on which the monitor serves metrics to Prometheus (default: none)",
}


def add_to(commands: Commands) -> None:
    """Add the commands of this file."""
    _add_serve(commands)
    _add_monitor(commands)
    _add_dashboard(commands)


def _add_serve(commands: Commands) -> None:
    one = commands.add(serve, "--lake", example="fleetcrash serve --lake lake --port 8510", serves=True)
    one.add_argument(
        "--host",
        default="127.0.0.1",
        help="to listen on (default: 127.0.0.1); where other machines reach it, senders need a token",
    )
    one.add_argument("--port", type=port_from(0), default=8510, help="to listen on (default: 8510)")
    one.add_argument(
        "--spool", metavar="DIR", help="folder for what is not in the lake yet (default: _spool in the lake)"
    )
    one.add_argument(
        "--origin", action="append", default=[], metavar="URL",
        help="pages of it may send Sentry envelopes from a browser; may be given again (default: none)",
    )  # fmt: skip
    one.add_argument("--privacy", metavar="FILE", help="what is hashed or left out of records, in TOML")
    one.add_argument("--tls-cert", metavar="FILE", help="certificate in PEM, with its chain")
    one.add_argument("--tls-key", metavar="FILE", help="its key in PEM")
    one.add_argument(
        "--rate", type=positive, metavar="N",
        help="records a second of a sender whose token has no rate of its own (default: as many as come)",
    )  # fmt: skip
    one.add_argument(
        "--connections",
        type=whole(),
        metavar="N",
        help="most that are open at the same time; others are closed (default: 5000)",
    )
    one.add_argument(
        "--connections-per-address",
        type=whole(),
        metavar="N",
        help="most of them from one address (default: half)",
    )
    one.add_argument("--no-monitor", action="store_true", help="only collect; another process watches")
    one.add_argument(
        "--replay", action="store_true", help="keep the senders' received_at, and take the newest for the clock"
    )
    one.add_argument("--alerts", **ALERTS)
    one.add_argument("--monitor-metrics", **_METRICS)


def _add_monitor(commands: Commands) -> None:
    one = commands.add(monitor, "--lake", example="fleetcrash monitor --lake lake", serves=True)
    one.add_argument(
        "--interval", type=positive, default=_LOOK_EVERY_S, help=f"seconds between looks (default: {_LOOK_EVERY_S:g})"
    )
    one.add_argument("--alerts", **ALERTS)
    one.add_argument("--metrics", **_METRICS)
    one.add_argument("--beside", type=int, help=argparse.SUPPRESS)  # the process that started it, and that it ends with


def _add_dashboard(commands: Commands) -> None:
    one = commands.add(dashboard, "--lake", "--port", example="fleetcrash dashboard --lake lake", serves=True)
    one.add_argument(
        "--host",
        default="127.0.0.1",
        help="to listen on (default: 127.0.0.1); any that other machines reach needs --sign-in or --trusted-header",
    )
    one.add_argument("--address", metavar="URL", help="by which people reach it, such as https://fleet.example.com")
    one.add_argument(
        "--trusted-header",
        metavar="NAME",
        help="header in which a proxy names the reader; a request without it is shown nothing",
    )
    one.add_argument("--sign-in", metavar="FILE", help="OpenID Connect: a secrets.toml of Streamlit, and who may see")
    one.add_argument("--no-monitor", action="store_true", help="only show; another process watches")
    one.add_argument("--alerts", **ALERTS)


def serve(chosen: argparse.Namespace) -> int:
    """Collect records over HTTP, with a monitor beside it."""
    from fleetcrash.store import Lake
    from ingest.collector.origins import origins_of
    from ingest.collector.server import Collector
    from ingest.collector.spool import check_spool
    from monitor.children import Children, Keeper

    lake = Lake.to_make(lake_path(chosen))
    needs_token = not is_loopback(chosen.host)
    if needs_token:
        _check_others_may_send(chosen, lake)
    tls = _tls(chosen)
    alerts_config(lake.root, chosen.alerts)  # so that a mistake in it is reported before anything starts
    if chosen.monitor_metrics is not None:
        check_port(chosen.monitor_metrics, option="--monitor-metrics")
    origins, privacy, limits = origins_of(chosen.origin), _privacy(chosen), _limits(chosen)
    spool = None if chosen.spool is None else Path(chosen.spool)
    if spool is not None:
        check_spool(spool)
    with listening(chosen.host, chosen.port) as listener:
        lake.make()  # only now: a command that is refused must leave no empty lake
        with (
            Children() as beside,
            Collector(
                lake,
                spool=spool,
                limits=limits,
                replay=chosen.replay,
                needs_token=needs_token,
                rate=chosen.rate,
                privacy=privacy,
                origins=origins,
            ) as collector,
        ):
            server = collector.server(tls=tls)
            start = partial(
                start_monitor,
                beside,
                lake,
                interval_s=_LOOK_EVERY_S,
                alerts=chosen.alerts,
                metrics=chosen.monitor_metrics,
            )
            url = url_of(chosen.host, listener.getsockname()[1], scheme="http" if tls is None else "https")
            with nullcontext() if chosen.no_monitor else Keeper(beside, "monitor", start):
                print(f"Collector: {url}/v1/records   (Ctrl-C stops)", flush=True)
                server.run(sockets=[listener])
    return Exit.DONE


def _check_others_may_send(chosen: argparse.Namespace, lake: Lake) -> None:
    """Check what a collector needs that other machines reach.

    Raises:
        BadArgument: it would believe whoever sends, or let anybody send.
    """
    from ingest.collector.tokens import Tokens

    if chosen.replay:
        raise BadArgument(
            f"--replay believes every sender, so it listens on 127.0.0.1 only, not on {chosen.host}. "
            "Nothing was started. Leave out --replay, or --host."
        )
    if not Tokens(lake.root).listed():
        raise BadArgument(
            f"Whoever reaches {chosen.host} could send, for there is no token. Nothing was started. "
            f"Make one with `fleetcrash token add NAME --lake {quote(str(lake.root))}`, or listen on 127.0.0.1."
        )


def _privacy(chosen: argparse.Namespace) -> Privacy | None:
    """What is hashed or left out of records; None: they are kept as they come.

    Raises:
        BadArgument: the file cannot be read or is not valid.
    """
    if chosen.privacy is None:
        return None
    from ingest.collector.privacy_file import read_privacy

    return read_privacy(Path(chosen.privacy))


def _limits(chosen: argparse.Namespace) -> Limits:
    from ingest.collector.limits import Limits

    connections = chosen.connections or Limits.connections
    of_one = chosen.connections_per_address or max(connections // 2, 1)
    return Limits(connections=connections, connections_of_one=of_one)


def _tls(chosen: argparse.Namespace) -> SSLContext | None:
    """What the collector needs for TLS; None: it speaks plain HTTP.

    Raises:
        BadArgument: the certificate or its key is missing or not valid.
    """
    from ingest.collector.server import tls_of

    if chosen.tls_cert is None and chosen.tls_key is None:
        return None
    if chosen.tls_cert is None or chosen.tls_key is None:
        given, missing = ("--tls-key", "--tls-cert") if chosen.tls_cert is None else ("--tls-cert", "--tls-key")
        raise BadArgument(
            f"{given} is there without {missing}; TLS takes both --tls-cert and --tls-key. Nothing was started. "
            f"Add {missing} FILE."
        )
    return tls_of(chosen.tls_cert, chosen.tls_key)


def monitor(chosen: argparse.Namespace) -> int:
    """Watch the lake and keep what is found in it."""
    from fleetcrash.store import Lake
    from monitor.alerts.following import Following
    from monitor.loop import watch
    from monitor.metrics import Metrics, telling

    lake = Lake.to_make(lake_path(chosen))
    if chosen.beside is None:  # beside a server it is better to run without alerts than not at all
        alerts_config(lake.root, chosen.alerts)
    if chosen.metrics is not None:
        check_port(chosen.metrics, option="--metrics")
    lake.make()
    metrics = Metrics()
    print(f"Watching {lake.root} every {chosen.interval:g} s. Ctrl-C stops.", file=sys.stderr)
    stop = threading.Event()
    if chosen.beside is not None:
        threading.Thread(target=_end_with, args=(chosen.beside,), daemon=True).start()
    _set_with_signals(stop)
    with ExitStack() as stack:
        alerting = stack.enter_context(Following(lake.root, chosen.alerts, metrics=metrics))
        if chosen.metrics is not None:
            stack.enter_context(telling(lambda: metrics.text(alerting.standing()), chosen.metrics))
        watch(lake, interval_s=chosen.interval, stop=stop, alerting=alerting, metrics=metrics)
    return Exit.DONE


def dashboard(chosen: argparse.Namespace) -> int:
    """Serve the pages, with a monitor beside them."""
    from monitor.children import Children, Keeper

    if chosen.address is not None:
        _check_address(chosen.address)
    sign_in = _sign_in(chosen)
    _check_readers_are_known(chosen, sign_in)
    if chosen.alerts:  # a mistake in the lake's own file must keep nobody from the pages
        alerts_config(lake_path(chosen), chosen.alerts)
    port = check_port(chosen.port, host=chosen.host)
    lake = lake_of(chosen, create=not chosen.no_monitor)
    with Children() as beside:
        start_dashboard(
            beside,
            lake,
            port,
            host=chosen.host,
            address=chosen.address,
            trusted_header=chosen.trusted_header,
            sign_in=sign_in,
        )
        start = partial(start_monitor, beside, lake, interval_s=_LOOK_EVERY_S, alerts=chosen.alerts)
        with nullcontext() if chosen.no_monitor else Keeper(beside, "monitor", start):
            print(f"Dashboard: {chosen.address or url_of(chosen.host, port)}   (Ctrl-C stops)", flush=True)
            beside.wait("dashboard")
    return Exit.DONE


def _check_address(address: str) -> None:
    """Check that it is a URL by which a browser can reach the pages.

    Raises:
        BadArgument: it is none.
    """
    try:
        parts = urlsplit(address)
        is_fine = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # an open bracket, or a port that is no number
        is_fine = False
    if not is_fine or not all("!" <= letter <= "~" for letter in address):  # browsers write names in plain ASCII
        raise BadArgument(
            f"--address is {address!r}; wanted a URL in ASCII that begins with http:// or https:// and names a host. "
            "Nothing was started. Give what people type into a browser, such as https://fleet.example.com."
        )


def _sign_in(chosen: argparse.Namespace) -> SignIn | None:
    """How readers sign in; None: they do not.

    Raises:
        BadArgument: the file cannot be read or is not valid.
    """
    if chosen.sign_in is None:
        return None
    from dashboard.access import read_sign_in

    return read_sign_in(Path(chosen.sign_in))


def _check_readers_are_known(chosen: argparse.Namespace, sign_in: SignIn | None) -> None:
    """Check that somebody asks who reads the pages, where other machines reach them.

    Raises:
        BadArgument: nobody does, or the header that is to say it has no valid name.
    """
    if chosen.trusted_header is not None and not re.fullmatch(r"[A-Za-z0-9-]{1,64}", chosen.trusted_header):
        raise BadArgument(
            f"{chosen.trusted_header!r} is no name of a header; wanted up to 64 letters, digits and hyphens. "
            "Nothing was started. Name the header in which the proxy says who reads, such as --trusted-header X-User."
        )
    if not is_loopback(chosen.host) and sign_in is None and chosen.trusted_header is None:
        raise BadArgument(
            f"Whoever reaches {chosen.host} could see the pages, for nobody asks who is there. Nothing was started. "
            "Say --sign-in FILE, or --trusted-header NAME behind a proxy that asks, or listen on 127.0.0.1."
        )


def url_of(host: str, port: int, *, scheme: str = "http") -> str:
    """The URL of a server on a host and a port; an IPv6 address is put in brackets."""
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"


def alerts_config(root: Path, alerts: Sequence[str] | None) -> Config | None:
    """Who is told of incidents, from the given files or else from the lake's own; None where there is neither.

    Args:
        root: the lake's folder.

    Raises:
        BadArgument: a file cannot be read or is not valid.
    """
    from monitor.alerts.config import files_of, read_config

    files = files_of(root, alerts)
    return read_config(files) if files else None


def _set_with_signals(stop: threading.Event) -> None:
    """Set ``stop`` at each signal to end, as an engine may swallow the interrupt."""

    def remembering(then: Callable[[int, FrameType | None], Any]) -> Callable[[int, FrameType | None], Any]:
        def handle(number: int, frame: FrameType | None) -> Any:
            stop.set()
            return then(number, frame)

        return handle

    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        before = signal.getsignal(getattr(signal, name)) if hasattr(signal, name) else None
        if callable(before):
            signal.signal(getattr(signal, name), remembering(before))


def _end_with(parent: int) -> None:
    """End as if told to when the parent process is gone, even if it was killed and could not tell us.

    A look under way may last minutes, for which the port of our metrics would be taken when the parent starts anew.
    """
    while os.getppid() == parent:
        time.sleep(_GLANCE_S)
    os.kill(os.getpid(), signal.SIGTERM)
