"""The front door: every command of fleetcrash, and nothing but the way to it.

``fleetcrash COMMAND`` and ``python -m cli COMMAND`` are the same. Results go to stdout, progress and diagnostics to
stderr. What a command does is in ``commands``.
"""

from __future__ import annotations

import argparse
import io
import logging
import math
import os
import signal
import sys
import threading
import time
import tomllib
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from commands import alerts, demo, feeding, gate, housekeeping, judging, quarantine, serving, silences, tokens
from commands.options import COMMON, Commands, check_text
from commands.output import MEANINGS, Exit
from fleetcrash.errors import FleetcrashError
from fleetcrash.terminal import readable

_SOON_S = 0.05
_ONE_REQUEST_S = 1.0
_LAKE_BEFORE = "lake_before"  # a name of its own: a command's own option would put its default in place of what is said


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status."""
    # Our matrices are too small to share out: threads that wait for one another cost a third more than they save.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    _open_what_is_closed()
    _let_be_lost("stderr")
    _spell_out_what_cannot_be_written()
    parser = _parser()
    chosen = parser.parse_args(arguments)
    if chosen.serves:  # what it says on stdout is no answer that somebody waits for
        _let_be_lost("stdout")
    _take_lake_before(parser, chosen)
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(message)s")
    run: Callable[[argparse.Namespace], int] = chosen.run
    stop = Stop()
    sys.unraisablehook = stop.insist
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # ignored where a shell runs us in the background
        signal.signal(signal.SIGINT, stop)
    if chosen.serves:
        for name in ("SIGTERM", "SIGHUP"):  # a closed terminal must not leave the processes beside us behind
            if hasattr(signal, name):
                signal.signal(getattr(signal, name), stop)
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
        _say_no_more()  # whoever read our output has seen enough
        return 128 + signal.SIGPIPE if status is None else status  # a gate that nobody heard must not say go
    except Exception as error:
        if stop.asked_by is not None:  # an engine in the middle of a query says so in an error of its own
            return _stopped(stop, serves=chosen.serves)
        if isinstance(error, OSError) and (why := _why_unwritable()) is not None:
            _say_no_more()
            said = f"The output cannot be written: {why}. The lake is whole. Run this again where there is room."
            print(f"fleetcrash: {said}", file=sys.stderr)
            return Exit.BAD_USE
        logging.exception("fleetcrash: this is a fault of ours, not of your data. The lake is whole. Please report:")
        return Exit.OUR_FAULT


def _open_what_is_closed() -> None:
    """Give what is printed a place to go where a shell closed it (``>&-``), before a file of ours has its number."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115 - for as long as we run


class _Lossy(io.FileIO):
    """Drops what cannot be written, such as to a log whose disk is full."""

    def __init__(self, stream: io.TextIOWrapper) -> None:
        super().__init__(stream.fileno(), "wb", closefd=False)
        self._owner = stream  # which would close the file once nobody has it

    def write(self, data: Any) -> int:
        try:
            return super().write(data)
        except OSError:
            return memoryview(data).nbytes


def _let_be_lost(name: str) -> None:
    """What is said beside an answer ends no command and changes no status where it cannot be written."""
    stream = getattr(sys, name)
    if type(stream) is io.TextIOWrapper:
        lossy = io.BufferedWriter(_Lossy(stream))
        setattr(sys, name, io.TextIOWrapper(lossy, stream.encoding, "backslashreplace", line_buffering=True))


def _spell_out_what_cannot_be_written() -> None:
    """Letters that the output's encoding lacks, as where a locale is none of UTF-8, end no command."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # as Python has it for stderr


def _why_unwritable() -> str | None:
    """What keeps the output from being written, such as a full disk; None: nothing does."""
    try:
        print(flush=True)  # without a buffer nothing is left to flush
    except OSError as error:
        return error.strerror
    return None


def _say_no_more() -> None:
    """Drop what is printed from here on; Python would complain once more while it flushes at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


class Stop:
    """A handler of signals: Ctrl-C, or a polite request to end, interrupts the work and is remembered.

    A request may come twice at once, as from a shell and from make, and must not interrupt what the first made us do.
    """

    def __init__(self) -> None:
        self.asked_by: int | None = None
        self._asked_s = -math.inf
        self._complain = sys.unraisablehook

    def __call__(self, number: int, _frame: object) -> None:
        """Interrupt."""
        asked_s = time.monotonic()
        if asked_s < self._asked_s + _ONE_REQUEST_S:
            return
        self.asked_by, self._asked_s = number, asked_s
        raise KeyboardInterrupt

    def insist(self, lost: sys.UnraisableHookArgs) -> None:
        """Interrupt again where an interrupt was lost, in a destructor or the callback of a weak reference."""
        if self.asked_by is None or not issubclass(lost.exc_type, KeyboardInterrupt):
            self._complain(lost)
            return
        self._asked_s = -math.inf
        again = threading.Timer(_SOON_S, _interrupt_main, [self.asked_by])
        again.daemon = True
        again.start()


def _interrupt_main(number: int) -> None:
    """Send a signal to the main thread, so that it also wakes up."""
    main_thread = threading.main_thread().ident
    if hasattr(signal, "pthread_kill") and main_thread is not None:
        signal.pthread_kill(main_thread, number)
    else:
        signal.raise_signal(number)


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
