"""The metrics of the monitor, and the port on which it serves them in Prometheus' text format."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from fleetcrash.errors import BadArgument
from fleetcrash.prometheus import CONTENT_TYPE, Histogram, metric

PATH = "/metrics"

_HOST = "127.0.0.1"
_SECONDS = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)
_PATIENCE_S = 5.0


@dataclass(frozen=True)
class Standing:
    """The state of alerting.

    Attributes:
        leads: whether this process is the one that sends.
        waiting: messages that each receiver has not got yet, silenced ones included.
        follows: whether the present content of the alert files is valid and in use.
    """

    leads: bool
    waiting: Mapping[str, int]
    follows: bool = True


class Metrics:
    """Counters of one monitor since it started. Any thread may count."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._ticks = 0
        self._seconds = Histogram(_SECONDS)
        self._failed = 0
        self._looked_at: float | None = None
        self._incidents_open: int | None = None
        self._sent: Counter[tuple[str, str]] = Counter()

    def judged(self, ticks: int) -> None:
        """Count judged ticks, including those that are judged again."""
        with self._lock:
            self._ticks += ticks

    def looked(self, seconds: float, at: float, *, incidents_open: int | None) -> None:
        """Count a look that succeeded.

        Args:
            at: its end, seconds since 1970.
            incidents_open: number that it found; None if nothing new was known.
        """
        with self._lock:
            self._seconds.took(seconds)
            self._looked_at = at
            if incidents_open is not None:
                self._incidents_open = incidents_open

    def failed(self) -> None:
        """Count a look that failed."""
        with self._lock:
            self._failed += 1

    def sent(self, receiver: str, result: str) -> None:
        """Count a try to send an alert, by its result."""
        with self._lock:
            self._sent[receiver, result] += 1

    def text(self, standing: Standing | None) -> str:
        """All metrics as text.

        Args:
            standing: state of alerting; None if there are no receivers.
        """
        with self._lock:
            sent = {f'receiver="{name}",result="{result}"': n for (name, result), n in sorted(self._sent.items())}
            lines = [
                *_metric("ticks_total", "counter", "Minutes judged, those judged again included.", self._ticks),
                *self._seconds.lines("fleetcrash_monitor_look_seconds", "Looks at the lake that succeeded."),
                *_metric("looks_failed_total", "counter", "Looks at the lake that failed.", self._failed),
                *_metric("last_look_timestamp_seconds", "gauge", "End of the last look that succeeded, since 1970.",
                         self._looked_at),
                *_metric("incidents_open", "gauge", "Incidents that are open as of the newest record.",
                         self._incidents_open),
            ]  # fmt: skip
            if standing is not None:
                waiting = {f'receiver="{name}"': count for name, count in sorted(standing.waiting.items())}
                lines += [
                    *_metric("leads", "gauge", "1 where this monitor is the one that sends.", int(standing.leads)),
                    *_metric("alerts_file_good", "gauge", "1 where what says who is told is understood as it is now.",
                             int(standing.follows)),
                    *metric("fleetcrash_monitor_alerts_total", "counter", "Tries to send an alert.", sent),
                    *metric("fleetcrash_monitor_alerts_waiting", "gauge", "Alerts that a receiver has yet to get.",
                            waiting),
                ]  # fmt: skip
        return "\n".join(lines) + "\n"


def _metric(name: str, kind: str, says: str, value: float | None) -> Iterator[str]:
    """A metric without labels; it has no sample while its value is unknown."""
    return metric(f"fleetcrash_monitor_{name}", kind, says, {} if value is None else {"": value})


@contextmanager
def telling(text: Callable[[], str], port: int) -> Iterator[int]:
    """Serve ``GET /metrics`` on this machine as long as the context lasts.

    Args:
        text: called for each request, from another thread. port: 0 takes a free one.
    Yields:
        the port.
    Raises:
        BadArgument: the port is taken, or may not be used.
    """

    class Handler(BaseHTTPRequestHandler):
        timeout = _PATIENCE_S

        def do_GET(self) -> None:
            if self.path != PATH:
                self.send_error(404)
                return
            body = text().encode()
            self.send_response(200)
            self.send_header("Content-Type", CONTENT_TYPE)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Log no scrapes."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True

    try:
        server = Server((_HOST, port), Handler)
    except (OSError, OverflowError) as error:
        said = getattr(error, "strerror", None) or str(error)
        raise BadArgument(f"Metrics cannot be told on port {port} ({said}). Nothing was started.") from error
    with server:
        thread = threading.Thread(target=server.serve_forever, name="fleetcrash-metrics", daemon=True)
        thread.start()
        try:
            yield int(server.server_address[1])
        finally:
            server.shutdown()
            thread.join()
