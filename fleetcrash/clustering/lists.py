"""Reads the lists beside the rules; their README says what a line means."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.resources import files


def lines(name: str) -> Iterator[str]:
    """The lines of a list, without comments and empty ones."""
    text = files("fleetcrash.clustering").joinpath("lists", f"{name}.txt").read_text(encoding="utf-8")
    for line in text.splitlines():
        if line.strip() and not line.startswith("#"):
            yield line.strip()


@dataclass(frozen=True)
class FrameList:
    """Frames identified by module and function.

    Attributes:
        modules: whole modules, one pattern.
        functions: functions, by the module's name or, of any module, the empty text.
    """

    modules: re.Pattern[str]
    functions: dict[str, re.Pattern[str]]

    def has(self, module: str, function: str) -> bool:
        """Whether the frame is in the list; both names are normalised, either may be empty."""
        if module and self.modules.fullmatch(module):
            return True
        if not function:
            return False
        return any(
            pattern.fullmatch(function)
            for pattern in (self.functions.get(module), self.functions.get(""))
            if pattern is not None
        )


@cache
def frame_list(name: str) -> FrameList:
    """The list of frames of that name."""
    modules: list[str] = []
    functions: dict[str, list[str]] = {}
    for line in lines(name):
        module, _, function = line.partition("!")
        if function == "*":
            modules.append(module)
        else:
            functions.setdefault(module, []).append(function)
    return FrameList(_any_of(modules), {module: _any_of(globs) for module, globs in functions.items()})


def _any_of(globs: list[str]) -> re.Pattern[str]:
    return re.compile("|".join(re.escape(glob).replace(r"\*", ".*") for glob in globs), re.DOTALL)
