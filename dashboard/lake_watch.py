"""One snapshot of the lake for all viewers, and answers kept until the lake changes, within a bound.

A thread takes the lake's newest snapshot every other second while somebody looks. A question is asked once
for each snapshot and selection, for any number of viewers: an engine serves one thread at a time. While nobody asks,
what the next page reads is made ahead, and gives way as soon as somebody does.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar, cast

import pandas as pd

from dashboard.answers import Answers, QueryFailed, frozen
from dashboard.giving_way import GivingWay
from dashboard.selection import PASSED, TABLES_OF_A_SELECTION, TABLES_OF_THE_LAKE, Selection
from dashboard.snapshot import LakeState, Snapshot, snapshot_of
from fleetcrash.attribution.reading import KNOWN, keep_known
from fleetcrash.clustering import Clusters, Signatures
from fleetcrash.errors import FleetcrashError, LakeError, UnknownName
from fleetcrash.store import Engine, Lake

REFRESH_S = 1.0  # with a page that renews itself every other second, what arrives is seen within three
_IDLE_S = 60.0  # with no viewer for so long the lake is left alone
_STILL_S = 2.0  # so long after the last question was answered nobody is about to ask the next of a page
_READ_BY_MOST_PAGES = tuple(dict.fromkeys((*Clusters.TABLES, *TABLES_OF_THE_LAKE, *KNOWN)))

T = TypeVar("T")

_NOT_ASKED = object()  # an answer may be None

_log = logging.getLogger(__name__)


class LakeWatch(ABC):
    """A lake's newest snapshot and what is asked of it; safe for any number of threads.

    Args:
        root: path of the lake; it may come to be later.
        watch: look at the lake from a thread of its own; else only ``refresh`` looks.
    """

    def __init__(self, root: Path, *, watch: bool = True) -> None:
        self._root = root
        self._lock = threading.RLock()  # for as long as the snapshot is to stay
        self._engine_lock = threading.RLock()  # taken within the other, never the other way round
        self._giving_way = GivingWay(self._interrupt)
        self._engine: Engine | None = None
        self._snapshot = Snapshot(number=0, state=LakeState.MISSING, root=root)
        self._answers = Answers()
        self._signatures = Signatures()
        self._clusters_now: Clusters | None = None
        self._kept: Selection | None = None
        self._kept_of_lake = False
        self._unprepared = list(_READ_BY_MOST_PAGES)
        self._ahead_of = -1  # number of the snapshot of which questions were answered ahead
        self._stop = threading.Event()
        self._asked_at, self._counted_at = time.monotonic(), math.inf
        self.refresh()
        self._watcher = threading.Thread(target=self._watch, name="lake-watch", daemon=True)
        if watch:
            self._watcher.start()

    def close(self) -> None:
        """Stop looking and let go of the lake."""
        self._stop.set()
        self._interrupt()
        if self._watcher.is_alive():
            self._watcher.join(timeout=5)
        with self._lock, self._engine_lock:
            self._let_go()

    def snapshot(self) -> Snapshot:
        """The newest snapshot; waits for a look only when nobody had asked for a while."""
        idle = time.monotonic() - self._asked_at > _IDLE_S
        self._asked_at = time.monotonic()
        if idle:
            self.refresh()
        return self._snapshot

    @contextmanager
    def still(self) -> Iterator[None]:
        """While this lasts the snapshot stays the same, so that figures beside one another are of one look."""
        with self._giving_way.instead(self._lock):
            yield

    def refresh(self) -> None:
        """Look at the lake. Whatever is wrong with it becomes the snapshot's state, never an exception."""
        with self._giving_way.instead(self._lock, self._engine_lock):
            try:
                self._look()
            except Exception as error:  # whatever the reason: the page has to say it, and the next look may succeed
                if not isinstance(error, FleetcrashError):
                    _log.exception("The lake at %s could not be read", self._root)
                self._fail(" ".join(str(error).split())[:400] or type(error).__name__)

    def frame(self, question: str, selection: Selection | None = None, **parameters: Any) -> pd.DataFrame:
        """The answer of a query file on the newest snapshot. Shared between viewers: do not change it.

        Args:
            question: name of a query file.
            selection: for queries that read a selection's tables.
            parameters: the query's own.
        Raises:
            QueryFailed: the lake or the query failed.
        """
        key = tuple((name, frozen(value)) for name, value in sorted(parameters.items()))
        answer: pd.DataFrame = self.answer(
            question, lambda engine: engine.frame(question, **parameters), *key, selection=selection
        )
        return answer

    def answer(
        self, question: str, ask: Callable[[Engine], T], *key: Hashable, selection: Selection | None = None
    ) -> T:
        """What the core answers on the newest snapshot. Shared between viewers: do not change it.

        Args:
            question: what is asked, in a word. key: what else the answer depends on.
            ask: called once until the lake changes, for all viewers, with the tables of the lake kept; again only
                where so much else was asked since that the answer had to go.
            selection: for questions that read a selection's tables.
        Raises:
            UnknownName: the question was about something that is not there.
            QueryFailed: the lake or the question failed.
        """
        place = (question, selection, key)
        with self._giving_way.instead(self._lock):
            answer: T | object = self._answers.get(place, _NOT_ASKED)
            if answer is _NOT_ASKED:
                try:
                    with self._giving_way.instead(self._engine_lock):
                        answer = ask(self._prepared(selection))
                except UnknownName:
                    raise
                except Exception as error:
                    if not self._is_no_news():
                        _log.exception("%s failed", question)
                    raise QueryFailed(question, error) from error
                self._answers.keep(place, answer)
                self._counted_at = time.monotonic()
            return cast(T, answer)

    def kept(self, key: Hashable, build: Callable[[], T]) -> T:
        """What ``build`` makes of answers, once for all viewers as any answer. Do not change it."""
        number = self._snapshot.number
        made: T | None = self._answers.get((number, key))
        if made is None:
            made = build()
            with self._giving_way.instead(self._lock):
                if number == self._snapshot.number:
                    self._answers.keep((number, key), made)
        return made

    def _clusters(self, engine: Engine) -> Clusters:
        if self._clusters_now is None:
            self._clusters_now = Clusters(engine, self._signatures)
        return self._clusters_now

    def _prepared(self, selection: Selection | None) -> Engine:
        """The engine, with the tables kept that the question reads."""
        if self._engine is None:
            raise FleetcrashError(self._snapshot.problem or "there is no lake")
        if not self._kept_of_lake:
            self._clusters_now = None
            self._clusters(self._engine).keep()
            for name in TABLES_OF_THE_LAKE:
                self._engine.keep(name, name)
            for name, query in PASSED.items():
                self._engine.keep_passing(name, query)
            keep_known(self._engine)
            self._kept_of_lake, self._kept = True, None
        if selection is not None and selection != self._kept:
            self._kept = None
            for name, query, parameters in selection.kept(TABLES_OF_A_SELECTION):
                self._engine.keep(name, query, **parameters)
            self._kept = selection
        return self._engine

    def prepare(self) -> bool:
        """Make one of the tables that most pages read, before somebody waits for it; whether any was left to make."""
        with self._engine_lock, self._giving_way.working():
            if self._engine is None or not self._kept_of_lake or not self._unprepared or self._stop.is_set():
                return False
            try:
                self._prepared(None).prepare(self._unprepared[0])
            except Exception:  # whatever the reason: the next look, or whoever asks, says so on the page
                if self._is_no_news():
                    return True
                _log.exception("The lake at %s could not be prepared", self._root)
            self._unprepared.pop(0)
            return True

    @abstractmethod
    def answer_ahead(self, snapshot: Snapshot) -> None:
        """Answer what takes longest on the page that comes next; called once for each snapshot, while nobody asks."""

    def _watch(self) -> None:
        while not self._stop.wait(REFRESH_S):
            if time.monotonic() - self._asked_at <= _IDLE_S:
                self.refresh()
                if time.monotonic() - self._counted_at > _STILL_S and not self.prepare():
                    self._answer_ahead()

    def _answer_ahead(self) -> None:
        if self._ahead_of == self._snapshot.number:
            return
        with self._lock, self._giving_way.working():
            self._ahead_of = self._snapshot.number  # what fails is not asked again and again
            try:
                self.answer_ahead(self._snapshot)
            except QueryFailed:
                if self._giving_way.gave_way():
                    self._ahead_of = -1

    def _interrupt(self) -> None:
        if (engine := self._engine) is not None:
            engine.interrupt()

    def _is_no_news(self) -> bool:
        """Whether a failure is none: the app ends while a page is open, or what is done ahead gives way."""
        return self._stop.is_set() or self._giving_way.gave_way()

    def _look(self) -> None:
        if self._engine is None:
            if not Lake(self._root).exists:
                self._snapshot = Snapshot(
                    number=self._snapshot.number,
                    state=LakeState.MISSING,
                    root=self._root,
                    problem="is a file" if self._root.is_file() else "holds no lake",
                )
                return
            self._engine = Engine(Lake.open(self._root))
        elif not self._root.is_dir():  # the tables' own books are in memory and would not miss it
            raise LakeError(f"The lake at {self._root} cannot be read: it is not there any more.")
        elif not self._engine.refresh():
            if self._snapshot.problem:
                self._snapshot = replace(self._snapshot, problem="")
            return
        self._engine.as_of = self._engine.newest_known()
        self._answers.clear()
        self._kept_of_lake, self._unprepared = False, list(_READ_BY_MOST_PAGES)
        self._snapshot = snapshot_of(self._prepared(None), self._snapshot.number + 1, self._root)

    def _fail(self, problem: str) -> None:
        self._let_go()
        known = self._snapshot
        if known.state in (LakeState.READY, LakeState.EMPTY):
            self._snapshot = replace(known, problem=problem)
        else:
            self._snapshot = Snapshot(known.number, LakeState.UNREADABLE, self._root, problem=problem)

    def _let_go(self) -> None:
        if self._engine is not None:
            self._engine.close()
        self._engine, self._kept, self._kept_of_lake = None, None, False
