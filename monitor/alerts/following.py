"""Alerting that follows changes of the files that say who is told, and begins as soon as it can.

The files are read again and again. A change counts once it was read twice in a row, since an editor may be in the
middle of writing. Invalid content is logged once, and the last valid one stays in use.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from fleetcrash.documents import JSON
from fleetcrash.errors import BadArgument, LakeError
from fleetcrash.toml_file import NOT_STARTED
from monitor.alerts.alerting import Alerting
from monitor.alerts.config import FILE, Config, files_of, read_config
from monitor.metrics import Metrics, Standing

LOG = logging.getLogger("fleetcrash.alerts")

_READ_EVERY_S = 2.0
_ENDS_WITHIN_S = 5.0

_Read = Config | str | None  # who is told; an error; None: nobody is told


class Following:
    """Alerting of one lake by its files. Leaving the context stops the threads; undelivered messages stay on disk.

    It gets the result of each look, even while there are no receivers.

    Args:
        named: the files that say who is told; None: the lake's own, as soon as there is one.
        clock: seconds since 1970.
    """

    def __init__(
        self,
        lake_root: Path,
        named: Sequence[str | Path] | None = None,
        *,
        clock: Callable[[], float] = time.time,
        metrics: Metrics | None = None,
    ) -> None:
        self._root = lake_root
        self._named = named
        self._clock = clock
        self._metrics = metrics
        self._lock = threading.RLock()  # guards the attributes below
        self._began = ExitStack()
        self._alerting: Alerting | None = None
        self._config: Config | None = None
        self._is_first = True
        self._read: _Read = None
        self._said = ""
        self._found: JSON | None = None
        self._newest: datetime | None = None
        self._failure: str | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._keep_on, name="fleetcrash-alerts-files", daemon=True)

    def __enter__(self) -> Self:
        self._tried()
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._stop.set()
        self._thread.join(_ENDS_WITHIN_S)
        self._began.close()

    def looked(self, found: JSON | None, newest: datetime | None) -> None:
        """Take the result of a look; see ``Alerting.looked``."""
        with self._lock:
            self._found, self._newest, self._failure = found or self._found, newest, None
            alerting = self._alerting
        if alerting is not None:
            alerting.looked(found, newest)

    def failed(self, error: str) -> None:
        """Take note of a look that failed; the error is one line."""
        with self._lock:
            self._failure = error
            alerting = self._alerting
        if alerting is not None:
            alerting.failed(error)

    def standing(self) -> Standing | None:
        """The state of alerting; None while nobody is told."""
        with self._lock:
            alerting, read = self._alerting, self._read
        if alerting is None and read is None:
            return None
        standing = Standing(leads=False, waiting={}) if alerting is None else alerting.standing()
        return replace(standing, follows=not isinstance(read, str))

    def step(self) -> None:
        """Read the files, and start, change or go on with alerting."""
        with self._lock:
            read = self._now_read()
            is_settled = self._is_first or read == self._read
            self._is_first, self._read = False, read
            if is_settled:
                self._say(self._taken(read))

    def _now_read(self) -> _Read:
        files = files_of(self._root, self._named)
        if not files:
            return None if self._config is None else f"{self._root / FILE} is gone."
        try:
            return read_config(files)
        except BadArgument as error:
            return str(error).removesuffix(NOT_STARTED)  # what runs already says what it does instead

    def _taken(self, read: _Read) -> str:
        """Apply what was read. Returns an error; empty if there is none."""
        if isinstance(read, str):
            goes_on = "nobody is told" if self._config is None else "what it said before goes on"
            return f"{read} Until that is mended, {goes_on}."
        if read is None:
            return ""
        if self._alerting is None:
            return self._begun(read)
        if read != self._config:
            self._config = read
            self._alerting.change(read)
            LOG.info("alerts go to %s from now on", ", ".join(one.name for one in read.receivers))
        return ""

    def _begun(self, config: Config) -> str:
        """Begin alerting. Returns an error if that is not possible yet."""
        try:
            alerting = Alerting(self._root, config, clock=self._clock, metrics=self._metrics)
        except (LakeError, sqlite3.Error) as error:
            return str(error)
        self._config, self._alerting = config, self._began.enter_context(alerting)
        if self._newest is not None or self._found is not None:
            alerting.looked(self._found, self._newest)
        if self._failure is not None:
            alerting.failed(self._failure)
        return ""

    def _say(self, trouble: str) -> None:
        """Log an error once; an empty text means that there is none."""
        if trouble != self._said:
            if trouble:
                LOG.error("alerts: %s", trouble)
            else:
                LOG.info("alerts: all is well again")
        self._said = trouble

    def _tried(self) -> None:
        try:
            self.step()
        except Exception:
            LOG.exception("alerts: a fault of ours; it is tried again")

    def _keep_on(self) -> None:
        while not self._stop.wait(_READ_EVERY_S):
            self._tried()
