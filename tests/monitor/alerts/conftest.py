"""Somebody to tell, a clock to turn, incidents to tell of."""

from __future__ import annotations

import json
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from fleetcrash.times import parse_time
from monitor.alerts.alerting import Alerting
from monitor.alerts.config import Config
from monitor.alerts.receivers import Endpoint, Webhook
from monitor.metrics import Metrics

START = 1_800_000_000.0  # 2027-01-15T08:00:00Z
PATIENCE_S = 30.0


class Clock:
    """Seconds since 1970, which pass when a test says so."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> float:
        return self.now

    def passes(self, seconds: float) -> None:
        self.now += seconds


@dataclass
class Got:
    """A request as it came."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def document(self) -> Any:
        return json.loads(self.body)


@dataclass
class Hook:
    """A real HTTP server on loopback that answers as it is told, and 200 when it is told nothing.

    Attributes:
        answers: what to do with the next requests, in order. got: all requests, whatever was answered.
    """

    server: ThreadingHTTPServer
    answers: list[Callable[[BaseHTTPRequestHandler], None]] = field(default_factory=list)
    got: list[Got] = field(default_factory=list)
    came: threading.Condition = field(default_factory=threading.Condition)

    @property
    def port(self) -> int:
        return int(self.server.server_address[1])

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook/s3cr3t-path"

    @property
    def documents(self) -> list[Any]:
        return [one.document for one in self.got]

    @property
    def events(self) -> list[tuple[str, str]]:
        return [(one["alert"], one["event"]) for one in self.documents]

    def wait_for(self, count: int) -> None:
        """Until so many requests came."""
        with self.came:
            assert self.came.wait_for(lambda: len(self.got) >= count, PATIENCE_S), f"{len(self.got)} came"


def answer(status: int, body: bytes = b"", **headers: str) -> Callable[[BaseHTTPRequestHandler], None]:
    """Answer with a status."""

    def act(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.end_headers()
        handler.wfile.write(body)

    return act


def raw(data: bytes) -> Callable[[BaseHTTPRequestHandler], None]:
    """Answer with bytes of any kind."""
    return lambda handler: _written(handler, data)


def _written(handler: BaseHTTPRequestHandler, data: bytes) -> None:
    handler.wfile.write(data)


def silent_until(released: threading.Event) -> Callable[[BaseHTTPRequestHandler], None]:
    """Answer nothing, and cut the line once that is over."""

    def act(_: BaseHTTPRequestHandler) -> None:
        released.wait(PATIENCE_S)

    return act


def reset(handler: BaseHTTPRequestHandler) -> None:
    """Cut the line with a reset."""
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    handler.connection.close()


@pytest.fixture
def hooks() -> Iterator[Callable[[], Hook]]:
    """Makes hooks, and ends them."""
    made: list[Hook] = []

    def make() -> Hook:
        class Handler(BaseHTTPRequestHandler):
            def handle_one_request(self) -> None:
                try:
                    super().handle_one_request()
                except (OSError, ValueError):  # our side is gone, or we closed it on purpose
                    self.close_connection = True

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                with served.came:
                    served.got.append(Got(self.command, self.path, dict(self.headers), body))
                    act = served.answers.pop(0) if served.answers else answer(200)
                    served.came.notify_all()
                act(self)

            do_GET = do_POST

            def log_message(self, *_: object) -> None:
                """Be quiet."""

        class Server(ThreadingHTTPServer):
            daemon_threads = True

        served = Hook(Server(("127.0.0.1", 0), Handler))
        threading.Thread(target=served.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        made.append(served)
        return served

    yield make
    for one in made:
        one.server.shutdown()
        one.server.server_close()


@pytest.fixture
def hook(hooks) -> Hook:
    return hooks()


@pytest.fixture
def clock() -> Clock:
    return Clock()


def webhook(hook: Hook, name: str = "oncall", **given: Any) -> Webhook:
    """A receiver at a hook."""
    return Webhook(name, Endpoint(hook.address), **given)


class Told:
    """Alerting without threads: a test says when the time has come for what."""

    def __init__(
        self, root: Path, clock: Clock, *receivers: Any, metrics: Metrics | None = None, **config: Any
    ) -> None:
        self.alerting = Alerting(root, Config(receivers, **config), clock=clock, metrics=metrics)
        self.couriers = self.alerting.couriers()

    def found(self, *incidents: dict[str, Any], minute: int = 10, newest: int | None = None) -> None:
        """A look that found these; newest: minute of the lake's newest record."""
        known = None if newest is None else parse_time(at(newest))
        self.alerting.looked(document(*incidents, minute=minute), known)

    def sent(self) -> None:
        """Whatever is due goes out."""
        for courier in self.couriers:
            while courier.step():
                pass

    def ended(self) -> None:
        """As if the process were gone."""
        self.alerting.__exit__(None, None, None)


def document(*incidents: dict[str, Any], minute: int = 10) -> dict[str, Any]:
    """An ``incidents`` document, as of some minutes after eight."""
    return {"schema": 1, "as_of": at(minute), "incidents": list(incidents)}


def at(minute: int) -> str:
    return f"2027-01-15T{8 + minute // 60:02}:{minute % 60:02}:00Z"


def incident(incident_id: str = "inc-1", *, hit: int = 3, closed: int | None = None, **changed: Any) -> dict[str, Any]:
    """An incident of the contract, as far as alerts read it.

    Args:
        hit: hosts that crashed. closed: minute.
    """
    return {
        "incident_id": incident_id,
        "alarm_at": at(0),
        "closed_at": None if closed is None else at(closed),
        "verdict": "undetermined",
        "update_id": None,
        "update_kind": None,
        "cause": None,
        "condition": None,
        "evidence": {"hosts_crashed": hit, "hosts_dark": 0},
        "impact": {"exposed": 100, "crashed": hit},
        "summary": f"{hit} hosts crashed.",
        **changed,
    }


def named(update_id: str = "content-7", **changed: Any) -> dict[str, Any]:
    """An incident that names an update."""
    return incident(**{"verdict": "update", "update_id": update_id, "update_kind": "content", **changed})
