"""What the collector takes at the most: sizes, counts and waits."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """Bounds on one collector.

    Attributes:
        body_bytes: of a body, as it comes and once more when it is unpacked; 140,000 crashes. More is 413.
        document_bytes: of one JSON or protobuf document in a client's body, which takes up to seventy times as much
            memory while it is read, one large body at a time. More is 413.
        unnamed_bytes: of a body that must be read to find its token. More is 401.
        body_lines: of a body; no body of records has as many. More is 413.
        bodies: under way at the same time. More is 429.
        held_bytes: of bodies in memory, all requests together. More is 429.
        backlog_bytes: acknowledged and not yet in the lake. More is 429. Some three seconds of work on two cores: what
            waits longer is seen too late.
        segment_bytes: of bodies in one commit to the lake, at about.
        commit_every_s: from one commit to the next; each takes 0.1 s or more and leaves a file a table, however little
            it brings.
        stall_s: without a byte of a body. Longer is 408. Of an answer none of which is taken the connection is closed.
        body_s: from the first byte of a body to its last. Longer is 408.
        stream_s: from the first byte to the last of a journal, whose first upload may be gigabytes. Longer is 408.
        dumps_bytes: that raw dumps kept in the lake's folder take on disk; the oldest go.
        dumps: of these; the oldest go. Those of programs, of 50 KB and more, come to dumps_bytes before.
        headers_s: from the opening of a connection to the end of a request's headers; then it is closed.
        connections: open at the same time; others are closed at once. One that sends nothing more stays for five
            seconds, so that these are a thousand new senders a second.
        connections_of_one: of these, from one address, of IPv6 from one network of 64 bits; others are closed at once.
            Half: no machine keeps all others out, and a proxy may stand in front of a large fleet.
    """

    body_bytes: int = 64 << 20
    document_bytes: int = 8 << 20
    unnamed_bytes: int = 1 << 20
    body_lines: int = 2_000_000
    bodies: int = 2000
    held_bytes: int = 256 << 20
    backlog_bytes: int = 128 << 20
    segment_bytes: int = 32 << 20
    commit_every_s: float = 1.0
    stall_s: float = 10.0
    body_s: float = 60.0
    stream_s: float = 3600.0
    dumps_bytes: int = 1 << 30
    dumps: int = 20_000
    headers_s: float = 10.0
    connections: int = 5000
    connections_of_one: int = 2500
