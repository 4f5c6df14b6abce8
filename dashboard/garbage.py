"""Garbage: Streamlit looks for it after every run of every fragment, so what stays is hidden from the collector."""

from __future__ import annotations

import atexit
import gc
import threading

_EVERY_S = 15.0


def hide_what_stays(*, every_s: float = _EVERY_S) -> None:
    """Hide what there is from the collector, now and every so often, once the garbage in it is gone."""
    stop = threading.Event()

    def renew() -> None:
        while not stop.wait(every_s):
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
