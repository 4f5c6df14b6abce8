"""The front door: every command of fleetcrash, and nothing but the way to it.

``fleetcrash COMMAND`` and ``python -m cli COMMAND`` are the same. Results go to stdout, progress and diagnostics to
stderr. What a command does is in ``commands``.
"""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys
import tomllib
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from commands import alerts, demo, feeding, gate, housekeeping, judging, quarantine, serving, silences, streams, tokens
from commands.options import COMMON, Commands, check_text
from commands.output import MEANINGS, Exit
from commands.stopping import Stop, listen
from fleetcrash.errors import FleetcrashError, is_fault
from fleetcrash.terminal import readable

_LAKE_BEFORE = "lake_before"  # a name of its own: a command's own option would put its default in place of what is said


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status."""
    # Our matrices are too small to share out: threads that wait for one another cost a third more than they save.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    streams.prepare()
    parser = _parser()
    chosen = parser.parse_args(arguments)
    if chosen.serves:  # what it says on stdout is no answer that somebody waits for
        streams.let_be_lost("stdout")
    _take_lake_before(parser, chosen)
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(message)s")
    return _run(chosen, listen(serves=chosen.serves))


def _run(chosen: argparse.Namespace, stop: Stop) -> int:
    run: Callable[[argparse.Namespace], int] = chosen.run
    status = None
    try:
        check_text(chosen)
        status = run(chosen)
        sys.stdout.flush()  # a reader that has left is noticed here, and not while Python shuts down
        return status
    except FleetcrashError as error:
        print(f"fleetcrash: {readable(str(error))}", file=sys.stderr)
        return Exit.BAD_USE
    except KeyboardInterrupt:
        return _stopped(stop, serves=chosen.serves)
    except BrokenPipeError:
        streams.say_no_more()  # whoever read our output has seen enough
        is_unheard_go = run is gate.gate and status == Exit.DONE
        return 128 + signal.SIGPIPE if status is None or is_unheard_go else status
    except BaseException as error:
        if not is_fault(error):
            raise
        if stop.asked_by is not None:  # an engine in the middle of a query says so in an error of its own
            return _stopped(stop, serves=chosen.serves)
        if isinstance(error, OSError) and (why := streams.why_unwritable()) is not None:
            streams.say_no_more()
            said = f"The output cannot be written: {why}. The lake is whole. Run this again where there is room."
            print(f"fleetcrash: {said}", file=sys.stderr)
            return Exit.BAD_USE
        logging.exception("fleetcrash: this is a fault of ours, not of your data. The lake is whole. Please report:")
        return Exit.OUR_FAULT


def _stopped(stop: Stop, *, serves: bool) -> int:
    """Being stopped is the ordinary end of a command that serves, and cuts any other short."""
    if stop.asked_by == signal.SIGINT:
        print("\nStopped. The lake is whole.", file=sys.stderr)
    return Exit.DONE if serves else 128 + signal.SIGINT


def _parser() -> argparse.ArgumentParser:
    statuses = "".join(f"  {status.value}  {meaning}\n" for status, meaning in MEANINGS.items())
    parser = argparse.ArgumentParser(
        prog="fleetcrash",
        description="Names the one update behind a crash spike, its condition, its evidence and the hosts at risk.",
        epilog=f"exit statuses:\n{statuses}\nStart with: fleetcrash demo",
        formatter_class=lambda prog: argparse.RawDescriptionHelpFormatter(prog, max_help_position=18),
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="print the version and exit")
    lake = {**COMMON["--lake"], "help": "the store; may stand behind a command as well, whose help tells the default"}
    parser.add_argument("--lake", dest=_LAKE_BEFORE, **lake)
    commands = Commands(parser.add_subparsers(title="commands", metavar="COMMAND", required=True).add_parser)
    for group in (demo, feeding, serving, judging, gate, quarantine, alerts, silences, tokens, housekeeping):
        group.add_to(commands)
    return parser


class _Version(argparse.Action):
    """Prints the version; only then is it looked for."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        with suppress(OSError):  # as with --help, a reader that has left is no fault
            print(f"{parser.prog} {_version()}", flush=True)
        parser.exit(Exit.DONE)


def _version() -> str:
    """Of a checkout what its pyproject.toml says: another version may be installed beside it."""
    from importlib.metadata import version

    try:
        said = tomllib.loads(Path(__file__).with_name("pyproject.toml").read_text(encoding="utf-8"))
        return str(said["project"]["version"])
    except FileNotFoundError:
        return version("fleetcrash")


def _take_lake_before(parser: argparse.ArgumentParser, chosen: argparse.Namespace) -> None:
    """Give a command the lake that was named before it, unless one is named behind it."""
    before = vars(chosen).pop(_LAKE_BEFORE, None)
    if before is None:
        return
    if "lake" not in chosen:
        parser.error("this command works on no lake, so that --lake says nothing to it")
    if chosen.lake is None:
        chosen.lake = before


if __name__ == "__main__":
    sys.exit(main())
