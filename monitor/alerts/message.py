"""A message about one alert, the same for every receiver."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any
from urllib.parse import quote

from fleetcrash.documents import JSON
from fleetcrash.times import time_text

SCHEMA = 1
LONGEST_SUMMARY = 2_000
_MOST_BYTES = 64 * 1024
_OF_MESSAGE = ("schema", "message_id", "alert", "sequence", "event", "state", "changed")
_OF_INCIDENT = ("verdict", "update_id", "update_kind", "cause", "condition", "impact")


class Event(StrEnum):
    """Why a message is sent."""

    OPENED = "opened"
    UPDATED = "updated"
    RESOLVED = "resolved"
    TEST = "test"


@dataclass(frozen=True)
class Message:
    """One message, as it is kept and sent.

    Attributes:
        number: place in the outbox; grows with every message. 0: not kept.
        message_id: the same for every try and receiver, so that receivers recognise repeats.
        alert: key of the alert: the incident_id, or the name of one of the dead man's alerts.
        sequence: of the message within its alert, from 1.
        update_id: the update that it names, for silences; None if none.
        body: JSON text, the same bytes for every try.
    """

    number: int
    message_id: str
    alert: str
    sequence: int
    event: Event
    update_id: str | None
    body: str

    @property
    def document(self) -> JSON:
        """The body, read."""
        return json.loads(self.body)

    @property
    def is_open(self) -> bool:
        """Whether the alert is open after this message."""
        return self.event is not Event.RESOLVED


def incident_content(incident: Mapping[str, Any], *, as_of: str, dashboard: str | None) -> JSON:
    """The content of a message about an incident.

    Args:
        incident: from the contract's ``incidents`` document. as_of: of that document.
        dashboard: address of the pages, without a slash at its end; None: no link.
    """
    incident_id = incident["incident_id"]
    return {
        "kind": "incident",
        "as_of": as_of,
        "starts_at": incident["alarm_at"],
        "ends_at": incident["closed_at"],
        "summary": incident["summary"][:LONGEST_SUMMARY],
        **{key: incident[key] for key in _OF_INCIDENT},
        "hosts_hit": hosts_hit(incident),
        "link": None if dashboard is None else f"{dashboard}/incident?id={quote(incident_id)}",
    }


def other_content(kind: str, *, starts_at: float, ends_at: float | None, summary: str) -> JSON:
    """The content of a message that is about no incident.

    Args:
        kind: ``dead_man`` or ``test``.
        starts_at, ends_at: seconds since 1970 by our clock; ends_at is None while it lasts.
    """
    return {
        "kind": kind,
        "as_of": instant(starts_at if ends_at is None else ends_at),
        "starts_at": instant(starts_at),
        "ends_at": None if ends_at is None else instant(ends_at),
        "summary": summary[:LONGEST_SUMMARY],
        **dict.fromkeys(_OF_INCIDENT),
        "hosts_hit": None,
        "link": None,
    }


def compose(alert: str, sequence: int, event: Event, content: Mapping[str, Any], *, changed: list[str]) -> Message:
    """A message with a new id, not kept yet.

    Args:
        changed: what has changed since the last message: verdict, update_id, condition, impact; empty unless updated.
    """
    message_id = uuid.uuid4().hex
    said = {
        "schema": SCHEMA,
        "message_id": message_id,
        "alert": alert,
        "sequence": sequence,
        "event": str(event),
        "state": "resolved" if event is Event.RESOLVED else "open",
        "changed": changed,
        **content,
    }
    body = _text(said)
    if len(body.encode()) > _MOST_BYTES:  # a condition of absurd size; the summary has it in words
        body = _text({**said, "condition": None})
    return Message(0, message_id, alert, sequence, event, content["update_id"], body)


def taken_back(last: Message, *, as_of: str) -> Message:
    """The message that ends an alert whose incident no longer exists because late records have changed the past.

    Args:
        last: the last message about it.
    """
    said = last.document
    summary = f"Taken back after records that came late: {said['summary']}"[:LONGEST_SUMMARY]
    content = {key: said[key] for key in said if key not in _OF_MESSAGE}
    content |= {"as_of": as_of, "ends_at": as_of, "summary": summary}
    return compose(last.alert, last.sequence + 1, Event.RESOLVED, content, changed=[])


def hosts_hit(incident: Mapping[str, Any]) -> int:
    """Hosts that crashed or went dark because of an incident, named or not."""
    evidence = incident["evidence"]
    return int(evidence["hosts_crashed"]) + int(evidence["hosts_dark"])


def title(message: Message) -> str:
    """A few words for the subject of a mail or the title of a chat message."""
    if message.event is Event.TEST:
        return "fleetcrash: test"
    named = f", {message.update_id}" if message.update_id else ""
    return f"fleetcrash: {message.alert} {message.event}{named}"


def instant(seconds: float) -> str:
    """RFC 3339 text of seconds since 1970, whole ones."""
    return time_text(datetime.fromtimestamp(int(seconds), tz=UTC))


def _text(said: JSON) -> str:
    return json.dumps(said, allow_nan=False, separators=(",", ":"))
