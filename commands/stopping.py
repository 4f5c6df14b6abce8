"""Being stopped: Ctrl-C, or a polite request to a command that serves."""

from __future__ import annotations

import math
import signal
import sys
import threading
import time

_SOON_S = 0.05
_ONE_REQUEST_S = 1.0


def listen(*, serves: bool) -> Stop:
    """Handle the signals that stop a command from now on."""
    stop = Stop()
    sys.unraisablehook = stop.insist
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # ignored where a shell runs us in the background
        signal.signal(signal.SIGINT, stop)
    if serves:
        signal.signal(signal.SIGTERM, stop)  # also where it is ignored: supervisors, and we ourselves, end us by it
        # A closed terminal must not leave the processes beside us behind; under nohup it ends nothing.
        if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
            signal.signal(signal.SIGHUP, stop)
    return stop


class Stop:
    """A handler of signals: Ctrl-C, or a polite request to end, interrupts the work and is remembered.

    A request may come twice at once, as from a shell and from make, and must not interrupt what the first made us do.

    Attributes:
        asked_by: the signal's number; None before one came.
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
