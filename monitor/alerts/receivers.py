"""Receivers: who gets messages, and by which protocol."""

from __future__ import annotations

import hashlib
import hmac
import io
import json
import logging
from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Protocol

from monitor.alerts.message import Event, Message, instant, title
from monitor.alerts.posting import Answer, NoAnswer, request

_JSON_TYPE = "application/json; charset=utf-8"
_BUSY = (408, 425, 429)

# Tells to which sending a line of apprise's log belongs. Its threads inherit the context of the caller.
_sending: ContextVar[io.StringIO | None] = ContextVar("_sending", default=None)


class Result(Enum):
    """How a try ended.

    DELIVERED: the receiver has it. DOWN: it cannot be reached, or asks us to wait. REFUSED: it rejects this message.
    """

    DELIVERED = "delivered"
    DOWN = "down"
    REFUSED = "refused"


@dataclass(frozen=True)
class Outcome:
    """The outcome of one try.

    Attributes:
        reason: one line, without addresses and secrets; empty if delivered.
        retry_after_s: as the receiver asked; None if it did not.
    """

    result: Result
    reason: str = ""
    retry_after_s: float | None = None


class Receiver(Protocol):
    """A receiver of messages.

    Attributes:
        name: in the file, in the outbox and in messages.
        repeat_s: it forgets an alert that is not repeated within this time; None: it does not.
    """

    @property
    def name(self) -> str: ...

    @property
    def repeat_s(self) -> float | None: ...

    def send(self, message: Message, now: float) -> Outcome:
        """Try once. Raises nothing.

        Args:
            now: seconds since 1970.
        """


@dataclass(frozen=True)
class Endpoint:
    """Where requests of our own go.

    Attributes:
        address: checked. authorization: value of that header; None: no header.
        ca_file: PEM of authorities to trust in place of those of the system.
    """

    address: str = field(repr=False)
    authorization: str | None = field(default=None, repr=False)
    ca_file: str | None = None

    def post(self, body: bytes, headers: Mapping[str, str], *, now: float, secrets: tuple[str, ...] = ()) -> Outcome:
        """Post JSON and judge the answer."""
        authorized = {} if self.authorization is None else {"Authorization": self.authorization}
        wanted = {"Content-Type": _JSON_TYPE, "User-Agent": "fleetcrash", **authorized, **headers}
        try:
            answer = request("POST", self.address, body=body, headers=wanted, ca_file=self.ca_file, now=now)
        except NoAnswer as error:
            return Outcome(Result.DOWN, str(error))
        return _judged(answer, (*secrets, self.address, *(authorized.values())))


@dataclass(frozen=True)
class Webhook:
    """Posts JSON to an address, signed if there is a secret."""

    name: str
    endpoint: Endpoint
    secret: bytes | None = field(default=None, repr=False)
    repeat_s: None = None

    def send(self, message: Message, now: float) -> Outcome:
        """As ``Receiver``."""
        body, stamp = message.body.encode(), str(int(now))
        headers = {"X-Fleetcrash-Message-Id": message.message_id, "X-Fleetcrash-Timestamp": stamp}
        if self.secret is None:
            return self.endpoint.post(body, headers, now=now)
        headers["X-Fleetcrash-Signature"] = signature(self.secret, stamp, body)
        return self.endpoint.post(body, headers, now=now, secrets=(self.secret.decode(errors="replace"),))


def signature(secret: bytes, stamp: str, body: bytes) -> str:
    """The signature of a body; it covers the time, so that an old body cannot be replayed as new.

    Args:
        stamp: seconds since 1970, as in the header X-Fleetcrash-Timestamp.
    """
    return "sha256=" + hmac.new(secret, stamp.encode() + b"." + body, hashlib.sha256).hexdigest()


@dataclass(frozen=True)
class Alertmanager:
    """Prometheus Alertmanager, API v2.

    It identifies an alert by its labels, so these never change while it is open; what changes is an annotation. It
    considers an alert resolved once endsAt has passed, so alerts are posted again well before.

    Attributes:
        endpoint: of ``/api/v2/alerts``.
        labels: added to every alert, for routing.
    """

    name: str
    endpoint: Endpoint
    labels: Mapping[str, str] = field(default_factory=dict)
    repeat_s: float = 60.0

    _STANDS_S = 300.0  # Alertmanager's own resolve_timeout: five repeats

    def send(self, message: Message, now: float) -> Outcome:
        """As ``Receiver``."""
        return self.endpoint.post(json.dumps([self.alert(message, now)]).encode(), {}, now=now)

    def alert(self, message: Message, now: float) -> dict[str, Any]:
        """A message in the form of Alertmanager; times are by our clock if the fleet's is ahead."""
        said = message.document
        ends_at = instant(now + self._STANDS_S) if message.is_open else instant(now)
        kinds = {"incident": "FleetcrashIncident", "dead_man": "FleetcrashDeadMan", "test": "FleetcrashTest"}
        labels = {"alertname": kinds[said["kind"]], "incident_id": message.alert, **self.labels}
        annotations = {
            "summary": said["summary"],
            "verdict": said["verdict"],
            "update_id": said["update_id"],
            "condition": None if said["condition"] is None else json.dumps(said["condition"]),
            "impact": None if said["impact"] is None else json.dumps(said["impact"]),
        }
        posted = {
            "labels": labels,
            "annotations": {key: value for key, value in annotations.items() if value is not None},
            "startsAt": min(said["starts_at"], instant(now)),  # RFC 3339 in Z sorts by time
            "endsAt": ends_at if message.event is not Event.TEST else instant(now + 60.0),
        }
        return posted if said["link"] is None else {**posted, "generatorURL": said["link"]}


@dataclass(frozen=True)
class Apprise:
    """A chat, a mailbox, or another service that apprise reaches by an address."""

    name: str
    address: str = field(repr=False)
    repeat_s: None = None

    def send(self, message: Message, now: float) -> Outcome:
        """As ``Receiver``."""
        del now  # its services use their own clocks
        import apprise

        said = message.document
        lines = [said["summary"], *([said["link"]] if said["link"] else [])]
        kind = apprise.NotifyType.INFO
        if message.event is not Event.TEST:
            kind = apprise.NotifyType.FAILURE if message.is_open else apprise.NotifyType.SUCCESS
        _quiet()
        told = io.StringIO()
        handler = logging.StreamHandler(told)
        handler.setLevel(logging.WARNING)
        _sending.set(told)
        handler.addFilter(lambda _: _sending.get() is told)  # errors of others may contain their addresses
        logger = logging.getLogger("apprise")
        logger.addHandler(handler)
        try:
            service = apprise_service(self.address)
            is_sent = service.notify(title=title(message), body="\n".join(lines), notify_type=kind)
        except Exception as error:  # a hundred services, each with errors of its own
            return Outcome(Result.DOWN, f"{type(error).__name__} in apprise")
        finally:
            logger.removeHandler(handler)
        if is_sent:
            return Outcome(Result.DELIVERED)
        reason = " ".join(told.getvalue().split("\n")[0].split())
        return Outcome(Result.DOWN, scrubbed(reason or "apprise gave no reason", (self.address,)))


def apprise_service(address: str) -> Any:
    """An apprise object with one service, which follows no redirects.

    Raises:
        ValueError: apprise knows no service for the address.
    """
    import apprise

    service = apprise.Apprise(asset=apprise.AppriseAsset(http_redirects=False, async_mode=False))
    _quiet()
    if not service.add(address):
        raise ValueError("apprise does not know the address")
    return service


def _quiet() -> None:
    """Keep apprise out of our log, as its messages may contain the address."""
    logging.getLogger("apprise").propagate = False


def _judged(answer: Answer, secrets: tuple[str, ...]) -> Outcome:
    if 200 <= answer.status < 300:
        return Outcome(Result.DELIVERED)
    said = f"HTTP {answer.status}" + (f": {scrubbed(answer.text, secrets)[:200]}" if answer.text else "")
    if 300 <= answer.status < 400:
        return Outcome(Result.REFUSED, f"HTTP {answer.status}: it redirects, which is not followed")
    if answer.status in _BUSY or answer.status >= 500:
        return Outcome(Result.DOWN, said, answer.retry_after_s)
    return Outcome(Result.REFUSED, said, answer.retry_after_s)


def scrubbed(text: str, secrets: tuple[str, ...]) -> str:
    """Text without secrets and without parts of addresses that may be secret."""
    parts = set()
    for secret in secrets:
        parts.add(secret)
        for separator in "/:@?&=, ":
            secret = secret.replace(separator, "\n")
        parts |= {part for part in secret.split("\n") if len(part) > 5}
    for part in sorted(parts, key=len, reverse=True):
        text = text.replace(part, "***") if part else text
    return text
