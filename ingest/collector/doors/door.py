"""What a door is: what it takes, and what it makes of a body."""

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
    """What a door may know of a request besides its body.

    Attributes:
        content_type: as it came; empty where none did.
        received_at: our clock, for events that tell no time.
    """

    content_type: str
    received_at: datetime
    limits: Limits

    @property
    def told(self) -> Told:
        """What is known of crashes that say nothing of it."""
        return Told(self.received_at, document_bytes=self.limits.document_bytes)


@dataclass(frozen=True)
class Reading:
    """What a body brought.

    Attributes:
        lines: records for the rules, NDJSON, each line with its newline and none blank.
        read: how many.
        not_read: events that are no crash.
        reply: what the client is told once the lines are on disk.
        dumps: files to keep, on disk before that.
    """

    lines: bytes | bytearray
    read: int
    not_read: int = 0
    reply: bytes = b""
    reply_type: str = "application/json"
    dumps: tuple[Dump, ...] = ()


class Stream(Protocol):
    """What a body without end brings, as it comes."""

    @property
    def records(self) -> Records:
        """What waits to be taken."""

    def feed(self, data: bytes) -> None:
        """Go on with what came. Memory is bounded, whatever it is.

        Raises:
            Unfit: it is not of the door's format.
        """

    def taken(self) -> tuple[Records, int]:
        """Hand over the records, and the count of events that are no crash, since the last time."""

    def end(self) -> None:
        """See that the body came to its end.

        Raises:
            Unfit: it did not.
        """

    def settle(self) -> None:
        """What waits for more of its crash waits no longer, as no more comes."""


@dataclass(frozen=True)
class Door:
    """A way in.

    Attributes:
        path: with the places of starlette's routes, such as ``/api/{project}/store/``. Metrics go by it.
        types: media types that are taken; the first is assumed where a request names none.
        encodings: of a body.
        methods: most clients POST.
    """

    path: str
    types: tuple[str, ...]
    encodings: tuple[str, ...]
    methods: tuple[str, ...]


@dataclass(frozen=True)
class BodyDoor(Door):
    """A way in for bodies that are read as a whole.

    Attributes:
        read: what a body brings. Raises Unfit, or a Refusal, for one that is not of the door's format.
        token_in: the token that a body may carry itself, None for none; where the door's clients do that.
        is_parsed: its documents are, so that only one large body is read at a time.
        reply_headers: of every reply.
    """

    read: Callable[[bytearray, Asked], Reading]
    token_in: Callable[[bytearray], str | None] | None = None
    is_parsed: bool = True
    reply_headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class StreamDoor(Door):
    """A way in for bodies that may have no end.

    Attributes:
        open: a new stream.
    """

    open: Callable[[], Stream]


@dataclass(frozen=True)
class Page:
    """What a client asks for before it sends.

    Attributes:
        type: media type of the text.
    """

    path: str
    text: str
    type: str
    headers: Mapping[str, str] = field(default_factory=dict)
