"""A collector in this process, behind a real server on loopback, and a client that speaks to it."""

from __future__ import annotations

import http.client
import json
import shutil
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from ssl import SSLContext
from typing import Any

import pytest

from fleetcrash.store import Lake
from ingest.collector.limits import Limits
from ingest.collector.server import Collector, listen
from tests.ingest.conftest import line, rows_of

PATIENCE_S = 60.0
NDJSON = {"Content-Type": "application/x-ndjson"}


@pytest.fixture(scope="session")
def empty_lake(tmp_path_factory) -> Path:
    """A lake to copy: making one takes longer than most tests here."""
    return Lake.create(tmp_path_factory.mktemp("empty") / "lake").root


@pytest.fixture
def lake(tmp_path: Path, empty_lake: Path) -> Lake:
    """A lake without a record."""
    return Lake(Path(shutil.copytree(empty_lake, tmp_path / "lake")))


@dataclass(frozen=True)
class Answered:
    """An answer."""

    status: int
    headers: Mapping[str, str]
    document: Any

    @property
    def code(self) -> str:
        """Of an error; that it is one, and of the contract's form, is checked on the way."""
        error = self.document["error"]
        assert set(self.document) == {"error"}
        assert set(error) == {"code", "message"}
        assert error["message"]
        return error["code"]


@dataclass(frozen=True)
class Client:
    """Sends to a port of this machine, each request over a connection of its own."""

    port: int

    def post(self, body: bytes | Iterable[bytes], path: str = "/v1/records", **headers: str | None) -> Answered:
        """Send a body; an iterable goes in chunks. A header that is None is not sent; `_` stands for `-`."""
        given = {**NDJSON, **{name.replace("_", "-"): value for name, value in headers.items()}}
        return self.ask("POST", path, body, {name: value for name, value in given.items() if value is not None})

    def get(self, path: str, **headers: str) -> Answered:
        return self.ask("GET", path, None, headers)

    def ask(self, method: str, path: str, body: Any, headers: Mapping[str, str]) -> Answered:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE_S)
        try:
            connection.request(method, path, body, dict(headers))
            answer = connection.getresponse()
            text = answer.read()
            is_json = answer.headers["content-type"] == "application/json" and method != "HEAD"
            return Answered(answer.status, dict(answer.headers.items()), json.loads(text) if is_json else text.decode())
        finally:
            connection.close()


@contextmanager
def serving(
    lake: Lake, *, limits: Limits | None = None, tls: SSLContext | None = None, **options: Any
) -> Iterator[Client]:
    """A collector; when the context is left, the lake has what was acknowledged."""
    with Collector(lake, limits=limits, **options) as collector, listen("127.0.0.1", 0) as listener:
        server = collector.server(tls=tls)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            yield Client(listener.getsockname()[1])
        finally:
            server.should_exit = True
            thread.join(PATIENCE_S)
    assert not thread.is_alive()


def crashes(first: int, count: int, *, prefix: str = "c", **changes: Any) -> bytes:
    """Lines of crashes, numbered."""
    return b"".join(line("crash", crash_id=f"{prefix}{first + n}", **changes) + b"\n" for n in range(count))


def crash_ids(lake: Lake) -> list[str]:
    """Of the crashes in the lake, sorted."""
    return sorted(row["crash_id"] for row in rows_of(lake, "crash"))


def booked(lake: Lake) -> dict[str, int]:
    """What the books say of all batches together."""
    rows = rows_of(lake, "batch")
    return {name: sum(row[name] for row in rows) for name in ("read", "accepted", "duplicates", "quarantined")}


def until(done: Callable[[], Any]) -> None:
    """Wait until something is so."""
    deadline = time.monotonic() + PATIENCE_S
    while not done():
        assert time.monotonic() < deadline
        time.sleep(0.005)
