"""Limits of the collector: sizes, counts and times."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """Bounds on one collector.

    Attributes:
        body_bytes: of a body, packed and unpacked; 140,000 crashes. More is 413.
        document_bytes: of one JSON or protobuf document in a client's body. Reading it takes up to seventy times as
            much memory, for one large body at a time. More is 413.
        unnamed_bytes: of a body that must be read to find its token. More is 401.
        body_lines: of a body; no body of records has as many. More is 413.
        bodies: being received at the same time. More is 429.
        held_bytes: of bodies in memory and of answers that are being read, all requests together. More is 429.
        backlog_bytes: acknowledged and not yet in the lake. More is 429. Some three seconds of work on two cores; with
            more, records would be seen too late.
        segment_bytes: approximate size of bodies in one commit to the lake.
        commit_every_s: from one commit to the next; each takes 0.1 s or more and leaves a file per table, even for
            little data.
        stall_s: without a byte of a body. Longer is 408. If less than 64 KiB of an answer is taken meanwhile, and more
            is left, the connection is closed.
        body_s: from the first byte of a body to its last. Longer is 408.
        stream_s: from the first byte to the last of a journal, whose first upload may be gigabytes. Longer is 408.
        dumps_bytes: of raw dumps kept in the lake's folder; the oldest are deleted.
        dumps: their number; the oldest are deleted. With those of programs, of 50 KB and more, dumps_bytes is reached
            first.
        headers_s: from the opening of a connection to the end of a request's headers; then it is closed.
        connections: open at the same time; with one more, the one that is idle for the longest is closed, or else the
            new one at once.
        connections_of_one: of these, from one address or IPv6 network of 64 bits; with one more, one of its own is
            closed as above. Half, so that no machine locks out all others, and a proxy can serve a large fleet. With
            fewer than ``connections`` it gets half of ``bodies``, and of ``held_bytes`` while they come and are
            answered.
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
