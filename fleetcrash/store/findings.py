"""What doctor found: how bad it is, what it means and what to do."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

BACKUP = "Restore it from a backup. Without one, load the sources again into a new lake."


class Severity(StrEnum):
    """How bad a finding is."""

    BROKEN = "broken"
    NOTE = "worth knowing"


@dataclass(frozen=True)
class Finding:
    """One thing that is not as it should be.

    Attributes:
        where: a file, the folder of a table, or that of the lake.
        found, means, todo: one sentence each.
    """

    severity: Severity
    where: str
    found: str
    means: str
    todo: str

    def as_json(self) -> dict[str, str]:
        """For a command's output."""
        return {
            "severity": self.severity.value,
            "where": self.where,
            "found": self.found,
            "means": self.means,
            "do": self.todo,
        }


def broken(where: Path, found: str, means: str, todo: str) -> Finding:
    """A finding that makes answers wrong or impossible."""
    return Finding(Severity.BROKEN, str(where), found, means, todo)


def note(where: Path, found: str, means: str, todo: str) -> Finding:
    """A finding that does no harm."""
    return Finding(Severity.NOTE, str(where), found, means, todo)
