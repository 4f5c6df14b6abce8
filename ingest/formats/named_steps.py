"""Steps of a stack of which a program told function and module, written as a debugger does, for ``blame`` to read."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

_MOST_OF_HANDLER = 5  # steps
_OF_SYSTEM = re.compile(r"(?:.*/)?(?:lib(?:c|pthread)[.-]|linux-(?:gate|vdso)\w{0,4}\.so)")
# What called the handler of a signal, or what stands before that in the library and has a name.
_CALLS = ("__restore_rt", "__kernel_rt_sigreturn", "__kernel_sigreturn", "__sigaction", "funlockfile", "killpg")


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


def below_signal(steps: Sequence[Step]) -> Sequence[Step]:
    """Without what handled a signal, which stands above the system's call of it."""
    for at, step in enumerate(steps[:_MOST_OF_HANDLER]):
        if (step.function is None or step.function in _CALLS) and step.module and _OF_SYSTEM.match(step.module):
            return steps[at + 1 :]
    return steps
