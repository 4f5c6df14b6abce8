"""Stack traces that are text, as languages, debuggers and systems write them, innermost frame first.

This module recognises the form of a text, and reads Python's; ``stacks_native``, ``stacks_runtimes``,
``stacks_managed`` and ``stacks_scripts`` read the others. Prose and lines of a log are no frames, even if they contain
numbers and paths.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from ingest.formats.crashes import MOST_FRAMES, Frame, text
from ingest.formats.stack_steps import Step, short_path
from ingest.formats.stacks_managed import managed
from ingest.formats.stacks_native import go, native, rust
from ingest.formats.stacks_runtimes import of_itself
from ingest.formats.stacks_scripts import javascript, lua, php, ruby

_LONGEST_STACK = 256 << 10  # characters; Python's innermost frames are at the end, the others' at the start
_LONGEST_LINE = 2000

_PYTHON_HEAD = "Traceback (most recent call last):"
_PYTHON = re.compile(r'\s*File "([^"]+)", line \d+(?:, in (.+))?')
# Forms recognised by more than one line come before those that read each line by itself.
_FORMS = (native, rust, go, of_itself, php, managed, javascript, ruby, lua)


@dataclass(frozen=True)
class Stack:
    """The stack in a text.

    Attributes:
        paths: files in it, innermost first.
    """

    frames: Sequence[Frame] = ()
    paths: Sequence[str] = ()


def read(said: str) -> Stack:
    """The stack in a text; empty if there is none in a known form."""
    if _PYTHON_HEAD in said or said.lstrip().startswith('File "'):
        steps = _python(said[-_LONGEST_STACK:])
        if steps:  # Ruby once had the same head
            return _stack(steps)
    lines = [line[:_LONGEST_LINE] for line in said[:_LONGEST_STACK].splitlines()]
    found = next((steps for form in _FORMS if (steps := form(lines))), None)
    # Other tools print Python's steps below a head of their own.
    return _stack(found if found is not None else _python(said[-_LONGEST_STACK:]))


def _stack(steps: Sequence[Step]) -> Stack:
    innermost = steps[:MOST_FRAMES]
    return Stack([step.frame for step in innermost], [step.path for step in innermost])


def _python(said: str) -> list[Step]:
    """The last traceback of a chain, which is that of the uncaught exception. Its last frame is the innermost."""
    steps: list[Step] = []
    for line in reversed(said.rpartition(_PYTHON_HEAD)[2].splitlines()):
        found = _PYTHON.match(line[:_LONGEST_LINE])
        if found and len(steps) < MOST_FRAMES:
            steps.append(Step(Frame(short_path(found[1]), text(found[2])), found[1]))
    return steps
