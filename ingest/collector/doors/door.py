"""The definition of a door: what it takes, and how it reads a body."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from fleetcrash.store.dumps import Dump
from ingest.collector.limits import Limits
from ingest.formats.crashes import Records, Told


@dataclass(frozen=True)
class Asked:
    """What a door may use of a request besides its body.

    Attributes:
        content_type: as it came; empty if there is none.
        received_at: by our clock, for events without a time.
    """

    content_type: str
    received_at: datetime
    limits: Limits

    @property
    def told(self) -> Told:
        """Default values for crashes in the body."""
        return Told(self.received_at, document_bytes=self.limits.document_bytes)


@dataclass(frozen=True)
class Reading:
    """The content of a body.

    Attributes:
        lines: records for the rules, NDJSON, each line with its newline and none blank.
        read: number of records.
        not_read: number of events that are no crash.
        reply: sent to the client once the lines are on disk.
        dumps: files to keep, written before that.
        items: number of those that the reply answers one by one. They are spent of the sender's rate if records are
            fewer.
    """

    lines: bytes | bytearray
    read: int
    not_read: int = 0
    reply: bytes = b""
    reply_type: str = "application/json"
    dumps: tuple[Dump, ...] = ()
    items: int = 0


class Stream(Protocol):
    """The content of a body of any length, as it arrives."""

    @property
    def records(self) -> Records:
        """The records waiting to be taken."""

    def feed(self, data: bytes) -> None:
        """Process the next bytes, in bounded memory.

        Raises:
            Unfit: it is not of the door's format.
        """

    def taken(self) -> tuple[Records, int]:
        """The records, and the number of events that are no crash, since the last call."""

    def end(self) -> None:
        """Check that the body is complete.

        Raises:
            Unfit: it is not.
        """

    def settle(self) -> None:
        """Write crashes that wait for more lines, as no more will come."""


@dataclass(frozen=True)
class Door:
    """A door.

    Attributes:
        path: with starlette's placeholders, such as ``/api/{project}/store/``; also the label in metrics.
        types: accepted media types; the first is assumed if a request names none.
        encodings: of a body.
        methods: most clients use POST.
    """

    path: str
    types: tuple[str, ...]
    encodings: tuple[str, ...]
    methods: tuple[str, ...]


def _everybody(_: Mapping[str, str]) -> bool:
    return True


@dataclass(frozen=True)
class BodyDoor(Door):
    """A door for bodies that are read as a whole.

    Attributes:
        read: reads a body. Raises Unfit, or a Refusal, for one that is not of the door's format.
        token_in: finds the token within a body, None for none; for clients that put it there.
        is_parsed: whether documents are parsed, so that only one large body is read at a time.
        reply_headers: of every reply.
        final: statuses that its clients take for final although the body may be sent again later; 503 is sent instead.
        heeds: whether a client with such headers sends again when an answer says so. One that does not gets no answer
            then: its connection is closed.
    """

    read: Callable[[bytearray, Asked], Reading]
    token_in: Callable[[bytearray], str | None] | None = None
    is_parsed: bool = True
    reply_headers: Mapping[str, str] = field(default_factory=dict)
    final: frozenset[int] = frozenset()
    heeds: Callable[[Mapping[str, str]], bool] = _everybody


@dataclass(frozen=True)
class StreamDoor(Door):
    """A door for bodies of any length.

    Attributes:
        open: makes a new stream.
    """

    open: Callable[[], Stream]


@dataclass(frozen=True)
class Page:
    """A page that clients request before or after they send.

    Attributes:
        type: media type of the text.
        heeds: as of a BodyDoor; whoever does not asks here whether it may send again.
    """

    path: str
    text: str
    type: str
    headers: Mapping[str, str] = field(default_factory=dict)
    heeds: Callable[[Mapping[str, str]], bool] = _everybody
    methods: tuple[str, ...] = ("GET",)
