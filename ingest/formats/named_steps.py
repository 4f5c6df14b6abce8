"""Steps of a stack of which a program told function and module, written as a debugger does, for ``blame`` to read."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple


class Step(NamedTuple):
    """A step; of one without a function its place in the module tells it from others.

    Attributes:
        offset: bytes from the module's base.
    """

    function: str | None
    module: str | None = None
    offset: int | None = None


def written(steps: Iterable[Step]) -> list[str]:
    """The steps as lines, innermost first."""
    return [f"#{at} 0x0000 {_place(step)}" for at, step in enumerate(steps)]


def _place(step: Step) -> str:
    if step.module is None:
        return f"in {step.function}"
    if step.function is None and step.offset is not None:
        return f" ({step.module}+{step.offset:#x})"
    return f"{step.function or '??'} ({step.module})"
