"""The metrics of the collector, in Prometheus' text format."""

from __future__ import annotations

import threading
from collections.abc import Iterator

from fleetcrash.prometheus import Histogram, metric
from ingest.report import Counts

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
_OUTCOMES = ("accepted", "duplicates", "quarantined")


class Metrics:
    """Counters of one collector since it started. Any thread may count."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._requests: dict[tuple[str, int], int] = {}
        self._not_read: dict[str, int] = {}
        self._records_acknowledged = 0
        self._bytes_acknowledged = 0
        self._records = dict.fromkeys(_OUTCOMES, 0)
        self._commits = 0
        self._seconds = Histogram(_SECONDS)

    def answered(self, door: str, status: int) -> None:
        """Count an answer at a door."""
        with self._lock:
            self._requests[door, status] = self._requests.get((door, status), 0) + 1

    def acknowledged(self, records: int, size_bytes: int, seconds: float) -> None:
        """Count a body that is on disk, and the seconds from its last byte to its answer."""
        with self._lock:
            self._records_acknowledged += records
            self._bytes_acknowledged += size_bytes
            self._seconds.took(seconds)

    def not_read(self, door: str, events: int) -> None:
        """Count events that are no crash and so become no record."""
        if events:
            with self._lock:
                self._not_read[door] = self._not_read.get(door, 0) + events

    def committed(self, counts: Counts) -> None:
        """Count a commit to the lake."""
        with self._lock:
            self._commits += 1
            for outcome in _OUTCOMES:
                self._records[outcome] += getattr(counts, outcome)

    def text(self, *, backlog_bytes: int, held_bytes: int, healthy: bool, damaged: int) -> str:
        """All metrics as text, with the present state."""
        with self._lock:
            answers = {f'door="{door}",status="{status}"': n for (door, status), n in sorted(self._requests.items())}
            outcomes = {f'outcome="{outcome}"': n for outcome, n in self._records.items()}
            no_crash = {f'door="{door}"': n for door, n in sorted(self._not_read.items())}
            lines = [
                *_metric("requests_total", "counter", "Answers, by door and HTTP status.", answers),
                *_metric("records_acknowledged_total", "counter", "Records that senders were told are on disk.",
                         {"": self._records_acknowledged}),
                *_metric("bytes_acknowledged_total", "counter", "Bytes of their lines.",
                         {"": self._bytes_acknowledged}),
                *_metric("events_not_read_total", "counter", "Events that are no crash, by door.", no_crash),
                *_metric("records_committed_total", "counter", "Records that the lake got, by what became of them.",
                         outcomes),
                *_metric("commits_total", "counter", "Commits to the lake.", {"": self._commits}),
                *self._seconds.lines("fleetcrash_collector_acknowledge_seconds",
                                     "From the last byte of a body to its answer."),
                *_metric("backlog_bytes", "gauge", "Acknowledged and not yet in the lake.", {"": backlog_bytes}),
                *_metric("held_bytes", "gauge", "Bodies and their answers in memory.", {"": held_bytes}),
                *_metric("healthy", "gauge", "1 while the lake takes what comes, and has all that came.",
                         {"": int(healthy)}),
                *_metric("damaged_files", "gauge", "Files of the spool with acknowledged records that cannot be read.",
                         {"": damaged}),
            ]  # fmt: skip
        return "\n".join(lines) + "\n"


def _metric(name: str, kind: str, says: str, samples: dict[str, int]) -> Iterator[str]:
    return metric(f"fleetcrash_collector_{name}", kind, says, samples)
