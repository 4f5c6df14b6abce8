"""One HTTP request to a server of somebody else: bounded in time and size, without following redirects.

The timeout of urllib holds for each read, so that an answer that drips would last for ever, and it follows redirects;
so this uses ``http.client`` and cuts the connection itself. No timeout at all holds for the look-up of a host's name.
"""

from __future__ import annotations

import email.utils
import http.client
import socket
import ssl
import threading
from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import SplitResult, urlsplit

from fleetcrash.errors import BadArgument

# For the whole request. A receiver that takes longer to answer is taken not to have kept the message.
TIMEOUT_S = 10.0

_MOST_ANSWER_BYTES = 2_048
_LONGEST_RETRY_AFTER_S = 3_600.0  # an hour; longer times are hardly meant


@dataclass(frozen=True)
class Answer:
    """The answer of a server.

    Attributes:
        text: the beginning of its body, on one line.
        retry_after_s: how long we were asked to wait; None if we were not.
    """

    status: int
    text: str
    retry_after_s: float | None


class NoAnswer(Exception):
    """No HTTP answer came; the message says why, without the address."""


def check_address(address: str) -> SplitResult:
    """Parse an http or https address.

    Raises:
        BadArgument: it is none. The message does not show it, as addresses hold secrets.
    """
    try:
        parts = urlsplit(address)
        is_fine = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_fine = False
    if not is_fine or any(ord(letter) <= 32 or ord(letter) > 126 for letter in address):
        raise BadArgument("is no address that begins with http:// or https:// and names a host")
    if parts.username or parts.password:
        raise BadArgument("holds a user or a password; give those in authorization_env or authorization_file")
    return parts


def request(
    method: str,
    address: str,
    *,
    body: bytes = b"",
    headers: Mapping[str, str] | None = None,
    ca_file: str | None = None,
    timeout_s: float = TIMEOUT_S,
    now: float = 0.0,
) -> Answer:
    """Send a request and read the beginning of its answer.

    Args:
        ca_file: PEM with the only authorities to trust; None: those of the system.
        timeout_s: for the whole request.
        now: seconds since 1970; for a Retry-After that is a date.
    Raises:
        NoAnswer: there was none in time, or it was not HTTP.
    """
    parts = urlsplit(address)
    host, secure = str(parts.hostname), parts.scheme == "https"
    port = parts.port or (443 if secure else 80)
    link = _CuttableSocket()
    timer = threading.Timer(timeout_s, link.cut)
    timer.daemon = True
    timer.start()
    try:
        link.hold(_connected(host, port, timeout_s))
        if secure:
            context = ssl.create_default_context(cafile=ca_file)
            wrapped = context.wrap_socket(link.held, server_hostname=host, do_handshake_on_connect=False)
            link.hold(wrapped)
            wrapped.do_handshake()
        connection = http.client.HTTPConnection(host, port)
        connection.default_port = 443 if secure else 80  # a Host header omits the default port
        connection.sock = link.held
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        connection.request(method, target, body=body or None, headers={**(headers or {}), "Connection": "close"})
        with connection.getresponse() as response:
            status, retry_after = response.status, response.headers.get("Retry-After")
            text = "" if 200 <= status < 300 else _beginning(response)
        return Answer(status, text, _seconds(retry_after, now))
    except (OSError, http.client.HTTPException, ValueError) as error:
        if link.was_cut or isinstance(error, TimeoutError):  # the timer and the socket's own limit expire together
            awaited = "answer" if link.connected else "connection"
            raise NoAnswer(f"no {awaited} within {timeout_s:g} s") from error
        raise NoAnswer(_why(error)) from error
    finally:
        timer.cancel()
        link.close()


def _connected(host: str, port: int, timeout_s: float) -> socket.socket:
    """A connection, in time for the look-up of the name and all its addresses together.

    Raises:
        TimeoutError: there is none in time. One that comes later is closed.
    """
    made: Future[socket.socket] = Future()

    def connect() -> None:
        try:
            made.set_result(socket.create_connection((host, port), timeout=timeout_s))
        except Exception as error:
            made.set_exception(error)

    threading.Thread(target=connect, name="fleetcrash-connecting", daemon=True).start()
    try:
        return made.result(timeout_s)
    except TimeoutError:
        made.add_done_callback(_close)
        raise


def _close(made: Future[socket.socket]) -> None:
    if made.exception() is None:
        made.result().close()


class _CuttableSocket:
    """A connection that another thread may cut."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None
        self.was_cut = False

    @property
    def held(self) -> socket.socket:
        assert self._socket is not None  # noqa: S101 - asked for after it is held
        return self._socket

    @property
    def connected(self) -> bool:
        return self._socket is not None

    def hold(self, one: socket.socket) -> None:
        with self._lock:
            self._socket = one
        if self.was_cut:
            raise TimeoutError

    def cut(self) -> None:
        with self._lock:
            self.was_cut = True
            if self._socket is not None:
                try:
                    self._socket.shutdown(socket.SHUT_RDWR)
                except OSError:
                    return  # it was never connected, or is already closed

    def close(self) -> None:
        with self._lock:
            if self._socket is not None:
                self._socket.close()
                self._socket = None


def _beginning(response: http.client.HTTPResponse) -> str:
    """The body of an answer, as far as it arrives: its status is known, so a broken body does not matter."""
    try:
        raw = response.read(_MOST_ANSWER_BYTES)
    except (OSError, http.client.HTTPException):
        raw = b""
    text = " ".join(raw.decode(errors="replace").split())
    return "".join(letter if letter.isprintable() else "?" for letter in text)


def _seconds(retry_after: str | None, now: float) -> float | None:
    """Retry-After, seconds or a date, as seconds from now; None where it is missing or makes no sense."""
    if retry_after is None:
        return None
    text = retry_after.strip()
    if text.isascii() and text.isdigit():
        return min(float(text[:9]), _LONGEST_RETRY_AFTER_S)
    try:
        until = email.utils.parsedate_to_datetime(text)
    except (ValueError, OverflowError):  # the latter for an absurd time zone
        return None
    until = until if until.tzinfo is not None else until.replace(tzinfo=UTC)
    return min(max((until - datetime.fromtimestamp(now, tz=UTC)).total_seconds(), 0.0), _LONGEST_RETRY_AFTER_S)


def _why(error: Exception) -> str:
    """Why there was no answer, in words of ours and of the system only, never of the server."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not valid: {error.verify_message}"
    if isinstance(error, ssl.SSLError):
        return f"no TLS: {(error.reason or 'handshake failed').replace('_', ' ').lower()}"
    if isinstance(error, socket.gaierror):
        return f"its host is not known: {error.strerror}"
    if isinstance(error, ConnectionError | http.client.RemoteDisconnected):
        return getattr(error, "strerror", None) or "the connection was closed without an answer"
    if isinstance(error, OSError):
        return error.strerror or "the connection failed"
    return "what answered is no HTTP"
