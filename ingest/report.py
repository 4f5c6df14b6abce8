"""The progress and the report of a load."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from fleetcrash.errors import UnreadableSource

SCHEMA = 1


@dataclass(frozen=True)
class Progress:
    """How far a load is.

    Attributes:
        source: the one being read; the first, if files are read together.
        sources_done, sources: number of whole sources.
        bytes_done, bytes_total: on disk, of all sources; None if the size of one is unknown.
        read: records read so far.
    """

    source: str
    sources_done: int
    sources: int
    bytes_done: int
    bytes_total: int | None
    read: int


@dataclass(frozen=True)
class Counts:
    """Counts of the records of a batch or a load; read = accepted + duplicates + quarantined."""

    read: int = 0
    accepted: int = 0
    duplicates: int = 0
    quarantined: int = 0
    reasons: Mapping[str, int] = field(default_factory=dict)
    unknown_fields: frozenset[str] = frozenset()

    def __add__(self, other: Counts) -> Counts:
        reasons = dict(self.reasons)
        for reason, count in other.reasons.items():
            reasons[reason] = reasons.get(reason, 0) + count
        return Counts(
            self.read + other.read,
            self.accepted + other.accepted,
            self.duplicates + other.duplicates,
            self.quarantined + other.quarantined,
            reasons,
            self.unknown_fields | other.unknown_fields,
        )


@dataclass(frozen=True)
class LoadReport:
    """The contract's ``load`` document.

    Attributes:
        left_out: files in folders that have no known format, and Delta tables.
        advice: for people, a line each; not part of the JSON document.
    """

    schema: int
    sources: tuple[str, ...]
    read: int
    accepted: int
    duplicates: int
    quarantined: int
    reasons: Mapping[str, int]
    unknown_fields: tuple[str, ...]
    seconds: float
    left_out: tuple[str, ...] = ()
    advice: tuple[str, ...] = ()

    @classmethod
    def of(
        cls,
        counts: Counts,
        sources: Sequence[str],
        *,
        seconds: float,
        left_out: Sequence[str] = (),
        advice: Sequence[str] = (),
    ) -> LoadReport:
        """The report of a load; the most frequent reason comes first."""
        reasons = sorted(counts.reasons.items(), key=lambda item: (-item[1], item[0]))
        return cls(
            SCHEMA,
            tuple(sources),
            counts.read,
            counts.accepted,
            counts.duplicates,
            counts.quarantined,
            dict(reasons),
            tuple(sorted(counts.unknown_fields)),
            round(seconds, 3),
            tuple(left_out),
            tuple(advice),
        )

    def as_json(self) -> dict[str, Any]:
        """The document, ready for ``json.dumps``."""
        lists = ("sources", "unknown_fields", "left_out")
        document = {name: list(value) if name in lists else value for name, value in asdict(self).items()}
        del document["advice"]
        return document


class IncompleteLoad(UnreadableSource):
    """A source could not be read, or not to its end; what could be read is loaded.

    Attributes:
        report: of what was loaded.
        problems: one line per source.
    """

    def __init__(self, problems: Sequence[str], report: LoadReport) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)
        self.report = report
