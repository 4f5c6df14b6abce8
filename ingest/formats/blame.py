"""The place of a crash in its stack, by the names of the functions in it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

from fleetcrash.clustering.lists import frame_list
from fleetcrash.clustering.names import function_name, module_name
from fleetcrash.clustering.rules import SIGNAL_FRAMES
from ingest.formats.crashes import MOST_FRAMES, Frame

_NOT_AT_FAULT = ("reporting", "machinery")
_ABORTS = frozenset(["abort", "__GI_abort"])
_MOST_REPORTING = 12  # frames between the kernel and abort
_MOST_OF_HANDLER = 5
_CALLS_HANDLERS = re.compile(r"lib(?:c|pthread)[.-]")
_LIBRARY = re.compile(r"\.(?:so|dll|dylib)\b", re.IGNORECASE)


def at_fault(frames: Iterable[Frame], otherwise: str | None = None, *, code: str | None = None) -> dict[str, Any]:
    """The place of a crash from its stack: the innermost frame with a name, as a jump to nowhere has none.

    Where that only reports the crash (``raise``, ``abort``), it is the innermost frame that neither does so, nor is of
    a handler of the signal, a library or a runtime, if there is one.

    Args:
        otherwise: the module, if that frame has none.
        code: of the crash; with that of an abort, frames without symbols only report it, too.
    """
    named = list(islice((frame for frame in frames if frame.module or frame.function), MOST_FRAMES))
    first = next(iter(named), Frame())
    told = next((frame for frame in named if frame.function or not _is_listed("machinery", frame)), first)
    if code == "SIGABRT" or _is_listed("reporting", told):
        place = next(_others(named, _NOT_AT_FAULT), None) or next(_others(named, _NOT_AT_FAULT[:1]), first)
    else:
        place = first
    if not (place.module or otherwise) and not _LIBRARY.search(first.module or ""):
        place = first  # a part of the program, as are sanitizers
    return {"module": place.module or otherwise, "module_offset": place.offset if place.module else None}


def held_up_in(frames: Iterable[Frame]) -> str | None:
    """The module of what hangs: of the innermost frame that does more than wait, if there is one."""
    named = [frame for frame in islice(frames, MOST_FRAMES) if frame.module or frame.function]
    return next(_others(named, _NOT_AT_FAULT), next(iter(named), Frame())).module


def below_handler(frames: Sequence[Frame]) -> Sequence[Frame]:
    """Frames without those of the handler of a signal that printed them, where these have no symbols.

    They end with the C library's, which called the handler.
    """
    for at, frame in enumerate(frames[:_MOST_OF_HANDLER]):
        if frame.function:
            break
        if at and _CALLS_HANDLERS.match(frame.module or ""):
            return frames[at + 1 :] or frames
    return frames


def has_aborted(frames: Iterable[Frame]) -> bool:
    """Whether a process called ``abort``, by its innermost frames; some tools do not tell the signal."""
    return any(_function(frame) in _ABORTS for frame in islice(frames, _MOST_REPORTING))


def telling(frames: Iterable[Frame]) -> int:
    """The number of functions that do more than report the crash."""
    return sum(frame.function is not None and not _is_listed("reporting", frame) for frame in frames)


def _others(named: Sequence[Frame], lists: Sequence[str]) -> Iterator[Frame]:
    """The frames that are not listed, nor those of a handler that reported."""
    handled = max((at for at, frame in enumerate(named) if _function(frame) in SIGNAL_FRAMES), default=-1)
    return (frame for frame in named[handled + 1 :] if not any(_is_listed(name, frame) for name in lists))


def _is_listed(name: str, frame: Frame) -> bool:
    return frame_list(name).has(module_name(frame.module), _function(frame))


def _function(frame: Frame) -> str:
    return function_name(frame.function)
