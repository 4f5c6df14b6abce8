"""Garbage: Streamlit looks for it after every run of every fragment, so what stays is hidden from the collector."""

from __future__ import annotations

import atexit
import gc
import threading

_EVERY_S = 15.0
_ALL_ONCE_IN = 20  # of all there is it takes a tenth of a second, in which no page is drawn; of what is new a hundredth


def hide_what_stays(*, every_s: float = _EVERY_S, all_once_in: int = _ALL_ONCE_IN) -> None:
    """Hide what there is from the collector, now and every so often, once the garbage in it is gone.

    Args:
        every_s: seconds between two times. all_once_in: of so many times, one at which what became garbage while it was
            hidden goes as well.
    """
    stop = threading.Event()

    def renew() -> None:
        times = 0
        while not stop.wait(every_s):
            times += 1
            if times % all_once_in == 0:
                gc.unfreeze()
            gc.collect()
            gc.freeze()

    def end() -> None:
        stop.set()
        thread.join()
        gc.unfreeze()  # what is frozen at the end counts as leaked, and DuckDB's bindings complain

    gc.collect()
    gc.freeze()
    thread = threading.Thread(target=renew, name="garbage", daemon=True)
    thread.start()
    atexit.register(end)
