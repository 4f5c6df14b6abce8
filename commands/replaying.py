"""What a replay needs: a collector to send to, a sender, and a receiver of alerts."""

from __future__ import annotations

import http.client
import json
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

from fleetcrash.errors import FleetcrashError
from fleetcrash.times import time_text

if TYPE_CHECKING:
    import pyarrow as pa

    from fleetcrash.store import Lake

_RECORDS = "/v1/records"
_GIVES_UP_AFTER_S = 60.0
_PAUSE_S = 0.5
_ANSWER_WITHIN_S = 30.0
_MOST_BYTES = 1 << 20


class NotTaken(FleetcrashError):
    """The collector did not take what a replay sent."""


class Sender:
    """Posts records to a collector on this machine, as an agent's relay would. Not for two threads at once."""

    def __init__(self, port: int) -> None:
        self._port = port

    def send(self, tables: Mapping[str, pa.Table], key: str) -> int:
        """Send records as one body of NDJSON until the collector has acknowledged it.

        Args:
            tables: kind to records. key: Idempotency-Key, so that sending again after no answer changes nothing.
        Returns:
            how many records were acknowledged.
        Raises:
            NotTaken: the collector refuses the body, or does not answer for a minute.
        """
        body = ndjson(tables)
        deadline = time.monotonic() + _GIVES_UP_AFTER_S
        while True:
            status, said, pause_s = self._post(body, key)
            if status == 202:
                return int(json.loads(said)["read"])
            if status not in (None, 408, 429, 503) or time.monotonic() > deadline:
                answered = "no answer" if status is None else f"HTTP {status}"
                raise NotTaken(f"The collector did not take a batch of the replay ({answered}: {said[:200]}).")
            time.sleep(pause_s)

    def _post(self, body: bytes, key: str) -> tuple[int | None, str, float]:
        """One try: status, text and how long to wait before the next."""
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=_ANSWER_WITHIN_S)
        try:
            headers = {"Content-Type": "application/x-ndjson", "Idempotency-Key": key}
            connection.request("POST", _RECORDS, body, headers)
            answer = connection.getresponse()
            pause_s = float(answer.headers.get("Retry-After", _PAUSE_S))
            return answer.status, answer.read().decode(errors="replace"), pause_s
        except (OSError, http.client.HTTPException) as error:
            return None, str(error), _PAUSE_S
        finally:
            connection.close()


def ndjson(tables: Mapping[str, pa.Table]) -> bytes:
    """Records as NDJSON; fields without a value are omitted."""
    lines = []
    for kind, table in tables.items():
        for row in table.to_pylist(maps_as_pydicts="strict"):
            given = {name: value for name, value in row.items() if value is not None}
            lines.append(json.dumps({"record": kind, **given}, default=_text))
    return "\n".join(lines).encode()


def _text(value: object) -> str:
    if not isinstance(value, datetime):
        raise TypeError(f"{type(value).__name__} has no place in a record")
    return time_text(value)


@contextmanager
def collecting(lake: Lake) -> Iterator[int]:
    """Run a collector in replay mode on a free port of this machine, and yield the port.

    Leaving the context commits what was acknowledged.
    """
    from ingest.collector.server import Collector, listen

    with listen("127.0.0.1", 0) as listener, Collector(lake, replay=True) as collector:
        server = collector.server()
        serving = threading.Thread(target=server.run, args=([listener],), name="fleetcrash-collector")
        serving.start()
        try:
            yield int(listener.getsockname()[1])
        finally:
            server.should_exit = True
            serving.join()


@contextmanager
def receiving(tell: Callable[[dict[str, Any]], None]) -> Iterator[str]:
    """Run a webhook on a free port of this machine, and yield its address.

    Args:
        tell: called with each alert's document, from another thread.
    """

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            size_bytes = self.headers.get("Content-Length", "")
            if not re.fullmatch("[0-9]{1,9}", size_bytes) or int(size_bytes) > _MOST_BYTES:
                self.send_error(411)
                return
            try:
                document = json.loads(self.rfile.read(int(size_bytes)))
            except ValueError:
                self.send_error(400)
                return
            tell(document)
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Log nothing: ``tell`` prints."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True

    with Server(("127.0.0.1", 0), Handler) as server:
        serving = threading.Thread(target=server.serve_forever, name="fleetcrash-webhook")
        serving.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}/"
        finally:
            server.shutdown()
            serving.join()
