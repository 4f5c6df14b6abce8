"""Garbage collection: Streamlit runs it after every run of a fragment, so lasting objects are hidden from it."""

from __future__ import annotations

import atexit
import gc
import threading

_EVERY_S = 15.0
_ALL_ONCE_IN = 20  # a full collection takes 0.1 s, in which no page is drawn; one of new objects 0.01 s


def hide_what_stays(*, every_s: float = _EVERY_S, all_once_in: int = _ALL_ONCE_IN) -> None:
    """Collect garbage and hide the remaining objects from the collector, now and then again and again.

    Args:
        every_s: seconds between two times. all_once_in: one of so many times also collects what became garbage while it
            was hidden.
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
        gc.unfreeze()  # else DuckDB's bindings report frozen objects as leaked at exit

    gc.collect()
    gc.freeze()
    thread = threading.Thread(target=renew, name="garbage", daemon=True)
    thread.start()
    atexit.register(end)
