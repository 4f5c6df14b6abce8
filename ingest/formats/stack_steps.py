"""Common to the readers of stack texts: a step of a stack, and recognising and shortening paths."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

from ingest.formats.crashes import LONGEST_TEXT, MOST_FRAMES, Frame, text, without_home

_PLACE = re.compile(r"(?P<path>.+?):\d{1,9}(?P<column>:\d{1,9})?")
_ROOTED = re.compile(r"(?:[A-Za-z][\w+.\-]{0,40}:)?[/\\]|node:")
_FILE = re.compile(r".*\.[A-Za-z]\w{0,9}")
_SCRIPT = re.compile(r".+\.(?:[cm]?[jt]sx?|vue|svelte|bundle|jsbundle|hbc|html?|php|lua)")


class Step(NamedTuple):
    """A frame, and the path of its code; empty if there is none."""

    frame: Frame
    path: str


def steps_of(lines: Sequence[str], step_of: Callable[[str], Step | None]) -> list[Step]:
    """The steps of the first exception of a text, one per line; its causes follow after it."""
    steps: list[Step] = []
    for line in lines:
        if steps and (line.lstrip().startswith(("Caused by:", "Suppressed:")) or len(steps) >= MOST_FRAMES):
            break
        if (step := step_of(line)) is not None:
            steps.append(step)
    return steps


def path_of(place: str, *, with_column: bool = False) -> str | None:
    """The path of ``/app/main.js:3:9``; None for text that is no path with a line, such as a time, or host and port.

    Args:
        with_column: whether a column is required as well.
    """
    found = _PLACE.fullmatch(place)
    if found is None or (with_column and not found["column"]):
        return None
    return found["path"] if is_path(found["path"]) else None


def is_path(said: str) -> bool:
    """Whether it is the path or URL of a file; only one that begins at a root may contain blanks."""
    if _ROOTED.match(said):
        return True
    if ":" in said or any(one.isspace() for one in said):
        return False
    folder, _, name = said.replace("\\", "/").rpartition("/")
    return (_FILE if folder else _SCRIPT).fullmatch(name) is not None


def short_path(path: str) -> str | None:
    """A path without parts that differ between hosts: from the packages on, or its last two parts."""
    tidy = without_home(path).replace("\\", "/")
    for place in ("site-packages/", "dist-packages/", "node_modules/"):
        if place in tidy:
            return text(tidy.rpartition(place)[2])
    if tidy.startswith("node:"):
        return text(tidy)
    return text("/".join(tidy.split("/")[-2:]), LONGEST_TEXT)
