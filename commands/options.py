"""How commands declare their options, and what the common options mean."""

from __future__ import annotations

import argparse
import getpass
import ipaddress
import os
import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from commands.ports import port_from
from fleetcrash.errors import BadArgument
from fleetcrash.terminal import readable
from fleetcrash.times import parse_time

if TYPE_CHECKING:
    from fleetcrash.store import Lake

LAKE_VARIABLE = "FLEETCRASH_LAKE"
DEFAULT_LAKE = "lake"
DEFAULT_PORT = 8501

_UNITS_S = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}
_LONGEST_S = 36_500 * 86_400.0  # a hundred years; much more is beyond the calendar
# Arguments that need not be text, as a file's name is bytes; the path of a lake or of a scenario is stored as text.
_PATHS = frozenset({"alerts", "paths", "privacy", "sign_in", "spool", "tls_cert", "tls_key"})
# Arguments that may not be empty, and what to name instead. Each of the paths to load is judged by itself.
_NEVER_EMPTY = dict.fromkeys((*(_PATHS - {"paths"}), "lake", "out"), "path") | {"host": "host", "address": "URL"}

COMMON: dict[str, dict[str, Any]] = {
    "--json": {"action": "store_true", "help": "one JSON document on stdout"},
    "--as-of": {
        "metavar": "T",
        "help": "judge from what was known then; now: by this machine's clock (default: the newest known time)",
    },
    "--port": {"type": port_from(0), "default": DEFAULT_PORT, "help": "of the dashboard (default: %(default)s)"},
    "--lake": {"metavar": "DIR", "help": f"the store (default: ${LAKE_VARIABLE}, else ./{DEFAULT_LAKE})"},
}

ALERTS: dict[str, Any] = {
    "metavar": "FILE",
    "action": "append",
    "help": "who is told of incidents, in TOML; may be given again (default: alerts.toml in the lake, if it is there)",
}


class Commands:
    """The commands of the front door, to which each file adds its own.

    Args:
        add_parser: makes a parser for a command, given its name.
    """

    def __init__(self, add_parser: Callable[..., argparse.ArgumentParser]) -> None:
        self._add_parser = add_parser

    def add(
        self, run: Callable[[argparse.Namespace], int], *common: str, example: str, serves: bool = False
    ) -> argparse.ArgumentParser:
        """Add a command with the name and docstring of a function as its name and help.

        Args:
            run: does the work and returns the exit status.
            common: options that several commands have, such as ``--json``.
            example: shown in the help.
            serves: whether it runs until it is stopped, which then is its normal end.
        """
        text = (run.__doc__ or "").strip()
        one = self._add_parser(
            run.__name__.rstrip("_"),
            help=text[0].lower() + text[1:].rstrip("."),
            description=text,
            epilog=f"example:\n  {example}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        one.set_defaults(run=run, serves=serves)
        for option in common:
            one.add_argument(option, **COMMON[option])
        return one

    def group(self, name: str, text: str, *, example: str) -> Commands:
        """Add a command that is a group of commands. Returns the group, to add commands to."""
        one = self._add_parser(
            name,
            help=text[0].lower() + text[1:].rstrip("."),
            description=text,
            epilog=f"example:\n  {example}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        return Commands(one.add_subparsers(title="commands", metavar="COMMAND", required=True).add_parser)


def check_text(chosen: argparse.Namespace) -> None:
    """Check that arguments are text, which can be stored, printed and searched; files that are read may have any name.

    Raises:
        BadArgument: one has bytes that are not UTF-8, or is an empty path, host or URL.
    """
    for name, value in vars(chosen).items():
        for each in value if isinstance(value, list) else [value]:
            if name in _NEVER_EMPTY and each == "":  # would mean the working folder, or every address
                option = f"--{name.replace('_', '-')}"
                said = f"{option} is empty, as of a variable that is not set. Nothing was changed."
                raise BadArgument(f"{said} Name a {_NEVER_EMPTY[name]}.")
            if name not in _PATHS and isinstance(each, str):
                _check_utf8(each, "an argument")


def check_lake_path(path: Path) -> Path:
    """A path at which a lake can be.

    Raises:
        BadArgument: it, or the working folder, has bytes that are not UTF-8; Delta tables need text. Or there is no
            working folder.
    """
    try:
        absolute = os.path.abspath(path)
    except FileNotFoundError:
        said = f"The working folder was deleted, and {path} would be in it. Nothing was changed."
        raise BadArgument(f"{said} Go to another folder, or name the whole path with --lake.") from None
    _check_utf8(absolute, "the path of a lake")
    return path


def _check_utf8(text: str, what: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:
        shown = readable(os.fsencode(text))
        raise BadArgument(f"'{shown}' is not UTF-8, which {what} has to be. Nothing was changed.") from None


def lake_path(chosen: argparse.Namespace) -> Path:
    """The path of the store, which need not exist.

    Raises:
        BadArgument: no lake can have this path.
    """
    return check_lake_path(Path(chosen.lake or os.environ.get(LAKE_VARIABLE) or DEFAULT_LAKE))


def lake_of(chosen: argparse.Namespace, *, create: bool = False) -> Lake:
    """The store that the command works on.

    Raises:
        LakeError: there is none, or it cannot be made.
    """
    from fleetcrash.store import Lake

    return Lake.create(lake_path(chosen)) if create else Lake.open(lake_path(chosen))


def time_of(text: str | None) -> datetime | None:
    """The instant in an option, aware, "now" by this machine's clock; None without the option.

    Raises:
        BadArgument: it is no time, has no offset, or is outside the times that records may have.
    """
    if text == "now":
        return datetime.now(UTC)
    return None if text is None else parse_time(text)


def positive(text: str) -> float:
    """The value of an option that must be above zero and below a million."""
    number = float(text)
    if not 0 < number < 1e6:
        raise argparse.ArgumentTypeError(f"{text} is not above 0 and below 1,000,000")
    return number


def whole(least: int = 1) -> Callable[[str], int]:
    """A parser for an option that is a whole number of at least ``least``."""

    def number(text: str) -> int:
        if not re.fullmatch(r"[0-9]{1,6}", text) or int(text) < least:
            raise argparse.ArgumentTypeError(f"{text!r} is no whole number from {least} to 999999")
        return int(text)

    return number


def duration(units: str = "smhd", *, or_none: bool = False, bare: str | None = None) -> Callable[[str], float]:
    """A parser for an option that is a duration, a whole number and a unit; it returns seconds.

    Args:
        units: those that are accepted.
        or_none: whether zero, such as 0h, is accepted.
        bare: unit of a number without one; None: a unit is required.
    """

    *others, last = list(units)
    named = f"{', '.join(others)} or {last}" if others else last
    least = "" if or_none else " from 1"
    otherwise = f"; without a unit it is {bare}" if bare else ""
    wanted = f"wanted a whole number{least} of {named}, such as 30{'m' if 'm' in units else last}{otherwise}"

    def seconds(text: str) -> float:
        found = re.fullmatch(f"([0-9]{{1,6}})([{units}]{'?' if bare else ''})", text)
        seconds = 0.0 if found is None else int(found[1]) * _UNITS_S[found[2] or str(bare)]
        if found is None or not (or_none or seconds) or seconds > _LONGEST_S:
            raise argparse.ArgumentTypeError(f"{text!r} is no time; {wanted}")
        return seconds

    return seconds


def who() -> str:
    """The user name of this process; its number if it has no name."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid {os.getuid()}"


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach a server that listens on this host."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"
