"""Receivers: to whom messages go, and what each protocol wants."""

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

    DELIVERED: the receiver has it. DOWN: it cannot be reached, or asks us to wait. REFUSED: it does not want this one.
    """

    DELIVERED = "delivered"
    DOWN = "down"
    REFUSED = "refused"


@dataclass(frozen=True)
class Outcome:
    """What became of one try.

    Attributes:
        reason: one line, without addresses and secrets; empty where delivered.
        retry_after_s: as the receiver asked; None where it did not.
    """

    result: Result
    reason: str = ""
    retry_after_s: float | None = None


class Receiver(Protocol):
    """Somebody who gets messages.

    Attributes:
        name: in the file, in the outbox and in messages.
        repeat_s: it forgets what is not repeated within so long; None: it keeps what it has.
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
    """Where our own requests go.

    Attributes:
        address: checked. authorization: value of that header; None without.
        ca_file: PEM to believe in place of the system's authorities.
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
    """JSON posted to an address, signed where there is a secret."""

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
    """What vouches for a body: the time is signed with it, so that an old one cannot be sent again as new.

    Args:
        stamp: seconds since 1970, as in the header X-Fleetcrash-Timestamp.
    """
    return "sha256=" + hmac.new(secret, stamp.encode() + b"." + body, hashlib.sha256).hexdigest()


@dataclass(frozen=True)
class Alertmanager:
    """Prometheus Alertmanager, API v2.

    An alert is known there by its labels, so these never change while it stands; what changes is an annotation. It is
    taken for resolved once its endsAt has passed, so it is posted again well before.

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
        """A message as Alertmanager takes it; times are by our clock where the fleet's is ahead."""
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
            "startsAt": min(said["starts_at"], instant(now)),  # RFC 3339 in Z sorts as it should
            "endsAt": ends_at if message.event is not Event.TEST else instant(now + 60.0),
        }
        return posted if said["link"] is None else {**posted, "generatorURL": said["link"]}


@dataclass(frozen=True)
class Apprise:
    """A chat, a mailbox, or another of the services that apprise knows by an address."""

    name: str
    address: str = field(repr=False)
    repeat_s: None = None

    def send(self, message: Message, now: float) -> Outcome:
        """As ``Receiver``."""
        del now  # its services stamp by their own clocks
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
        handler.addFilter(lambda _: _sending.get() is told)  # what others fail at may hold their address
        logger = logging.getLogger("apprise")
        logger.addHandler(handler)
        try:
            service = apprise_service(self.address)
            is_sent = service.notify(title=title(message), body="\n".join(lines), notify_type=kind)
        except Exception as error:  # of a hundred services' code, each with errors of its own
            return Outcome(Result.DOWN, f"{type(error).__name__} in apprise")
        finally:
            logger.removeHandler(handler)
        if is_sent:
            return Outcome(Result.DELIVERED)
        reason = " ".join(told.getvalue().split("\n")[0].split())
        return Outcome(Result.DOWN, scrubbed(reason or "apprise gave no reason", (self.address,)))


def apprise_service(address: str) -> Any:
    """apprise with one service, which follows no redirects.

    Raises:
        ValueError: apprise does not know the address.
    """
    import apprise

    service = apprise.Apprise(asset=apprise.AppriseAsset(http_redirects=False, async_mode=False))
    _quiet()
    if not service.add(address):
        raise ValueError("apprise does not know the address")
    return service


def _quiet() -> None:
    """Keep apprise out of our log: what it says may hold the address."""
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
    """Text without secrets, nor the parts of addresses that may be some."""
    parts = set()
    for secret in secrets:
        parts.add(secret)
        for separator in "/:@?&=, ":
            secret = secret.replace(separator, "\n")
        parts |= {part for part in secret.split("\n") if len(part) > 5}
    for part in sorted(parts, key=len, reverse=True):
        text = text.replace(part, "***") if part else text
    return text
