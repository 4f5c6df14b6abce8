"""Errors of *use*. Errors in *data* are never raised: they become quarantined records with a reason."""

from __future__ import annotations

import re


class FleetcrashError(Exception):
    """Something was asked that cannot be done.

    The message says what was found, what was wanted, what was left untouched and what to do next, in one
    line fit for a terminal.
    """


class LakeError(FleetcrashError, OSError):
    """The lake cannot be read or written: missing, not a lake, of another version, or not permitted."""


class UnknownName(FleetcrashError, LookupError):
    """An update, scenario, state or crash of that name does not exist here."""


class BadArgument(FleetcrashError, ValueError):
    """An argument of a command or a function is not of the form that it takes."""


class UnreadableSource(FleetcrashError, OSError):
    """A file or folder to load is missing, not permitted, or of an unknown format."""


def is_fault(error: BaseException) -> bool:
    """Whether it is no wish that we end. A panic of deltalake is a fault, but no Exception."""
    return not isinstance(error, KeyboardInterrupt | SystemExit | GeneratorExit)


def one_line(error: BaseException) -> str:
    """The message of an error in one line, without the stack that some errors of deltalake include."""
    return " ".join(re.split(r"\n\s*0: ", str(error))[0].split())[:300].rstrip(".")
