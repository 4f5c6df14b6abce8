"""What the rules read from a crash, and what they produce."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256
from typing import Any

# Frames of a stack that are looked at: the cause is near the inner end, and recursion repeats itself.
MAX_FRAMES = 128

_NO_FUNCTION = ("", "?", "??", "???")


@dataclass(frozen=True)
class Frame:
    """A frame as it was reported; any part may be missing."""

    module: str | None = None
    function: str | None = None
    offset: int | None = None


@dataclass(frozen=True)
class Shape:
    """All that the rules read from a crash. Crashes of one shape have one signature.

    Attributes:
        frames: innermost first.
        program: the process that crashed, where it is known.
    """

    os_type: str
    domain: str | None = None
    code: str | None = None
    module: str | None = None
    module_version: str | None = None
    module_offset: int | None = None
    frames: tuple[Frame, ...] = ()
    program: str | None = None

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> Shape:
        """The shape of a row with a crash's columns."""
        frames: Sequence[Mapping[str, Any] | None] = row.get("frames") or ()
        return cls(
            os_type=row["os_type"],
            domain=row.get("domain"),
            code=row.get("code"),
            module=row.get("module"),
            module_version=row.get("module_version"),
            module_offset=row.get("module_offset"),
            frames=tuple(_frame(one) for one in frames[:MAX_FRAMES]),
            program=row.get("program"),
        )


def _frame(row: Mapping[str, Any] | None) -> Frame:
    """What the rules read from a frame: the offset only without a function, as in ``shaped_crashes.sql``."""
    if not row:
        return Frame()
    nameless = (row["function"] or "") in _NO_FUNCTION
    return Frame(row["module"], row["function"], row["offset"] if nameless else None)


class Role(StrEnum):
    """What a frame is to the signature."""

    DECIDES = "decides"
    REPORTING = "reporting"
    MACHINERY = "machinery"
    UNKNOWN = "unknown"
    OTHER = "other"


@dataclass(frozen=True)
class NamedFrame:
    """A frame with its names as they are compared; an unknown name is empty."""

    module: str
    function: str
    offset: int | None
    role: Role

    @property
    def name(self) -> str:
        """The frame in one line."""
        if self.module and self.function:
            return f"{self.module}!{self.function}"
        return self.function or self.module or "?"


@dataclass(frozen=True)
class Step:
    """One rule at work: its name, what it saw, and what it made of it."""

    rule: str
    saw: str
    made: str


@dataclass(frozen=True)
class Signature:
    """Where a crash belongs, and why.

    Attributes:
        family: what the crashes of a cluster share: OS, class of the code, and the place that decides.
        variant: the family with version and offset; the signature of the contract.
        title: the cluster in the words of a page.
        frames: the stack with the role of each frame. steps: the rules that acted, in order.
    """

    family: str
    variant: str
    title: str
    frames: tuple[NamedFrame, ...] = ()
    steps: tuple[Step, ...] = ()

    @property
    def cluster_id(self) -> str:
        """Short name of the cluster; the same for the same family, wherever and whenever it is made."""
        return cluster_id(self.family)

    @property
    def notes(self) -> tuple[str, ...]:
        """The steps, each in one line."""
        return tuple(f"{step.rule}: {step.saw} → {step.made}" for step in self.steps)


def cluster_id(family: str) -> str:
    """The short name of a family's cluster, such as ``clu-1a2b3c4d5e``.

    40 bits: of ten thousand families, two share a name with a chance of 5e-5.
    """
    return f"clu-{sha256(family.encode('utf-8', 'surrogatepass')).hexdigest()[:10]}"
