"""A collector on a lake, and the HTTP server around it."""

from __future__ import annotations

import asyncio
import json
import resource
import socket
import ssl
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar, Self

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from fleetcrash.errors import BadArgument
from fleetcrash.store import Lake
from fleetcrash.store.dumps import Dumps
from fleetcrash.store.paths import SPOOL
from ingest.collector.addresses import sender_of
from ingest.collector.app import application
from ingest.collector.clock import Clock
from ingest.collector.committer import Committer
from ingest.collector.doors.journal import UPLOAD
from ingest.collector.keys import Keys
from ingest.collector.limits import Limits
from ingest.collector.metrics import Metrics
from ingest.collector.privacy import Privacy
from ingest.collector.rates import Rates
from ingest.collector.reception import Parts
from ingest.collector.spool import Spool
from ingest.collector.tokens import Tokens
from ingest.collector.unanswered import with_abort

_CONNECTIONS_IN_QUEUE = 2048
_ENDS_WITHIN_S = 10
# Of a connection after an answer. Longer than the 60 s for which proxies and load balancers (nginx, Amazon's) keep
# theirs and than the intervals of clients (OpenTelemetry's 1 or 5 s, Prometheus' up to 60 s): where both sides wait as
# long, requests meet a connection that is being closed, and not every client sends again.
_IDLE_S = 75
_MOST_BUFFERED_BYTES = 64 << 10  # of an answer, before the application waits for its reader; with TLS asyncio takes 512
_LEAST_TAKEN_BYTES = 64 << 10  # of an answer within `stall_s`; what a telephone line brings
_OTHER_FILES = 500  # files of the lake, the spool and DuckDB


class Collector:
    """A collector on a lake. Use it as a context manager: leaving it commits what was acknowledged.

    Args:
        spool: folder for what is not in the lake yet; None: one in the lake's folder.
        replay: keep the senders' received_at, and take the newest for our clock.
        needs_token: nobody may send without a token, even if none is configured.
        rate: records a second of each sender without a rate of its own; None: unlimited.
        privacy: what is hashed or removed from records; None: they are kept as they come.
        origins: of pages that may use Sentry's envelope door from a browser.
        clock: makes the clock by which records are known.
    Raises:
        BadArgument: another collector has the spool, or it cannot be used.
    """

    def __init__(
        self,
        lake: Lake,
        *,
        spool: Path | None = None,
        limits: Limits | None = None,
        replay: bool = False,
        needs_token: bool = False,
        rate: float | None = None,
        privacy: Privacy | None = None,
        origins: frozenset[str] = frozenset(),
        clock: Callable[..., Clock] = Clock,
    ) -> None:
        self._limits = limits = limits or Limits()
        folder = spool or lake.root / SPOOL
        with ExitStack() as opened:  # closes them if anything fails
            self._spool = opened.enter_context(closing(Spool(folder, limits)))
            self._keys = opened.enter_context(closing(Keys(folder)))
            for description in self._spool.recovered:
                self._keys.spooled(description)
            metrics = Metrics()
            least_us = max((description.received_us for description in self._spool.recovered), default=0)
            ours = clock(folder, least_us=least_us)
            self._committer = Committer(
                lake.for_another_thread(), self._spool, self._keys, limits, metrics, ours, replay=replay
            )
            dumps = Dumps(lake.root, limits.dumps_bytes, limits.dumps)
            parts = Parts(
                self._spool,
                self._keys,
                self._committer,
                Tokens(lake.root),
                Rates(rate),
                dumps,
                limits,
                metrics,
                ours,
                privacy,
            )
            self._app = application(parts, needs_token=needs_token, origins=origins)
            self._opened = opened.pop_all()

    def __enter__(self) -> Self:
        self._spool.start()
        self._committer.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._spool.end()
        self._committer.close()
        self._opened.close()

    def server(self, *, tls: ssl.SSLContext | None = None) -> uvicorn.Server:
        """A server; ``run(sockets=[...])`` serves until a signal or ``should_exit``.

        Args:
            tls: as ``tls_of`` makes it; None: plain HTTP.
        """
        limits = self._limits

        class Protocol(_Protocol):
            """The protocol with the limits of this collector."""

            headers_s = limits.headers_s
            stall_s = limits.stall_s
            most_connections = limits.connections
            most_of_one = limits.connections_of_one
            open_from: ClassVar = Counter()
            idle: ClassVar = {}

        config = _Config(
            self._app,
            http=Protocol,
            ws="none",
            lifespan="off",
            log_config=None,
            log_level="warning",
            access_log=False,
            proxy_headers=False,
            server_header=False,
            backlog=_CONNECTIONS_IN_QUEUE,
            timeout_graceful_shutdown=_ENDS_WITHIN_S,
            timeout_keep_alive=_IDLE_S,
            ssl_context_factory=None if tls is None else (lambda *_: tls),
        )
        _allow_files(limits.connections + _OTHER_FILES)
        config.load()
        return uvicorn.Server(config)


def tls_of(certificate: str, key: str) -> ssl.SSLContext:
    """What a server needs for TLS.

    Args:
        certificate, key: PEM files.
    Raises:
        BadArgument: the files are no certificate and its key.
    """
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        tls.load_cert_chain(certificate, key)
    except OSError as error:  # ssl.SSLError is one
        raise BadArgument(
            f"{certificate} and {key} are no certificate and its key in PEM: {error}. Nothing was started. "
            "Name the certificate with --tls-cert and its own key with --tls-key."
        ) from error
    return tls


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens; port 0 takes a free one.

    Raises:
        OSError: there is no such address here, or the port is taken or may not be used.
    """
    family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(_CONNECTIONS_IN_QUEUE)
    except OSError:
        listener.close()
        raise
    return listener


def _allow_files(count: int) -> None:
    """Let this process open so many files, or as many as permitted: the default is often 1024."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = count if hard == resource.RLIM_INFINITY else min(count, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


class _Config(uvicorn.Config):
    """A configuration whose loop limits a TLS handshake like the headers; uvicorn leaves asyncio's default of a minute.

    Before the handshake is complete nothing else counts or watches a connection.
    """

    def get_loop_factory(self) -> Callable[[], asyncio.AbstractEventLoop]:
        """A loop for ``run``."""
        protocol: Any = self.http_protocol_class
        return partial(_Loop, protocol.headers_s)


class _Loop(asyncio.SelectorEventLoop):
    def __init__(self, handshake_s: float) -> None:
        super().__init__()
        self._handshake_s = handshake_s

    async def create_server(self, *args: Any, **options: Any) -> asyncio.Server:
        if options.get("ssl") is not None:
            options["ssl_handshake_timeout"] = self._handshake_s
        return await super().create_server(*args, **options)


class _Protocol(H11Protocol):
    """uvicorn's HTTP, with limits on what never reaches an application.

    A connection is closed if its next request does not arrive in time, even if bytes drip in, if there are too many
    connections and none is idle, or if it hardly reads an answer. Invalid HTTP is answered in JSON. (uvicorn's own
    ``limit_concurrency`` answers in plain text after a request has come, and does not count by address.)

    Attributes:
        open_from: number of connections by sender.
        idle: connections on which nothing has come since the last answer, the longest idle first.
    """

    headers_s: float
    stall_s: float
    most_connections: int
    most_of_one: int
    open_from: ClassVar[Counter[str]]
    idle: ClassVar[dict[_Protocol, None]]

    _due: asyncio.TimerHandle | None = None
    _taken_due: asyncio.TimerHandle | None = None
    _from = ""
    _has_ended = False  # the sender has shut down its side

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        transport.set_write_buffer_limits(_MOST_BUFFERED_BYTES)
        self.app = partial(with_abort, self.app, transport.abort)
        self._from = sender_of(transport.get_extra_info("peername"))
        self.open_from[self._from] += 1
        if not self._has_place():
            transport.abort()
            return
        self._watch()

    def data_received(self, data: bytes) -> None:
        self.idle.pop(self, None)
        super().data_received(data)
        self._watch()

    def eof_received(self) -> bool:  # type: ignore[override]
        """Answer a sender that shuts down its side after the request; not possible with TLS."""
        self._has_ended = self.scheme == "http" and self._is_asked
        return self._has_ended

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self._has_ended and not self._is_asked:
            self.transport.close()
        elif not self._is_answering and not self.transport.is_closing():
            self.idle[self] = None
            if self.conn.trailing_data[0]:  # a part of the next request came with this one
                self._watch()

    def shutdown(self) -> None:
        """End in order; a journal under way at once, as its sender may go on for ever."""
        super().shutdown()
        cycle: Any = self.cycle
        if self._is_answering and not self._is_asked and cycle.scope["path"] == UPLOAD.path:
            self.transport.close()

    def pause_writing(self) -> None:
        """An answer, which may have many megabytes for a bulk, waits for its reader."""
        super().pause_writing()
        self._see_it_taken()

    def resume_writing(self) -> None:
        super().resume_writing()
        self._cease_to_see()

    def connection_lost(self, exc: Exception | None) -> None:
        self._cease_to_see()
        self._unwatch()
        self.idle.pop(self, None)
        self.open_from[self._from] -= 1
        if not self.open_from[self._from]:
            del self.open_from[self._from]
        super().connection_lost(exc)

    def send_400_response(self, msg: str) -> None:
        """Answer invalid HTTP, even within a body; not within an answer."""
        cycle: Any = self.cycle  # None before the first request
        if self._is_answering and cycle.response_started:
            self.transport.abort()
            return
        body = json.dumps({"error": {"code": "bad_request", "message": msg}}).encode()
        head = f"HTTP/1.1 400 Bad Request\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        self.transport.write(head.encode() + b"Connection: close\r\n\r\n" + body)
        self.transport.close()

    def _should_upgrade(self) -> bool:
        """Stay with HTTP/1.1, as a server may, if a client offers another protocol; uvicorn would log advice."""
        return False

    @property
    def _is_answering(self) -> bool:
        cycle: Any = self.cycle  # None before the first request
        return cycle is not None and not cycle.response_complete

    @property
    def _is_asked(self) -> bool:
        """Whether a complete request waits for its answer."""
        cycle: Any = self.cycle
        return self._is_answering and not cycle.more_body

    def _has_place(self) -> bool:
        """Whether this connection may stay. If there are too many, the one that is idle for the longest is closed."""
        is_one_too_many = self.open_from[self._from] > self.most_of_one
        if not is_one_too_many and len(self.connections) <= self.most_connections:
            return True
        closable = (one for one in self.idle if one._from == self._from or not is_one_too_many)
        closed = next((one for one in closable if not one.transport.get_write_buffer_size()), None)
        if closed is None:
            return False
        del self.idle[closed]
        closed.transport.abort()  # nothing waits to be sent
        return True

    def _watch(self) -> None:
        """Start the timer for the next request unless one is being handled; the application watches bodies."""
        if self._is_answering:
            self._unwatch()
        elif self._due is None:
            self._due = self.loop.call_later(self.headers_s, self.timeout_keep_alive_handler)

    def _unwatch(self) -> None:
        if self._due is not None:
            self._due.cancel()
            self._due = None

    def _see_it_taken(self, before_bytes: int | None = None) -> None:
        """Abort the connection if hardly anything is read for a while; an orderly close would wait for it."""
        left_bytes = self.transport.get_write_buffer_size()
        if before_bytes is not None and before_bytes - left_bytes < _LEAST_TAKEN_BYTES:
            self.transport.abort()
        else:
            self._taken_due = self.loop.call_later(self.stall_s, self._see_it_taken, left_bytes)

    def _cease_to_see(self) -> None:
        if self._taken_due is not None:
            self._taken_due.cancel()
            self._taken_due = None
