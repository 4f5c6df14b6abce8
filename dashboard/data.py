"""Asks the core for all viewers: one snapshot, and answers that are kept until the lake changes, within a bound.

A thread takes the lake's newest snapshot every second while somebody looks. A question is asked once for each snapshot
and selection, for any number of viewers, as an engine serves one thread at a time. While nobody asks, the thread
prepares what the next page reads, and gives way as soon as somebody does.
"""

from __future__ import annotations

import atexit
import logging
import math
import threading
import time
from collections.abc import Callable, Hashable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar, cast

import pandas as pd
import pyarrow as pa
import streamlit as st

from dashboard.answers import Answers, QueryFailed, frozen
from dashboard.giving_way import AGAIN_S, GivingWay
from dashboard.incidents import Incident
from dashboard.lookout import Lookout
from dashboard.selection import TABLES_OF_A_CURVE, Selection
from dashboard.snapshot import Snapshot
from fleetcrash.attribution.reporting.accounted import what_became_of
from fleetcrash.attribution.reporting.delay import Delay, delay_of
from fleetcrash.attribution.reporting.impact import Impact, impact_of, matching
from fleetcrash.clustering import Cluster, Clusters, Sample
from fleetcrash.errors import FleetcrashError, UnknownName
from fleetcrash.store import Engine
from fleetcrash.store.host_lists import HostLists

REFRESH_S = 1.0  # pages renew themselves every other second, so that news is seen within three
_IDLE_S = 60.0  # without a viewer for so long, the lake is not read
_STILL_S = 2.0  # after an answer for so long no further question of the same page is to be expected

T = TypeVar("T")

_NOT_ASKED = object()  # distinct from None, which may be an answer

_log = logging.getLogger(__name__)


class Feed:
    """A lake as the pages see it; safe for any number of threads.

    Args:
        root: path of the lake, which may be made later.
        watch: look at the lake from a thread; else only ``refresh`` looks.
    """

    def __init__(self, root: Path, *, watch: bool = True) -> None:
        self._root = root
        self._lock = threading.RLock()  # held while the snapshot must not change
        self._lookout = Lookout(root)
        self._asking = GivingWay(self._lookout.interrupt)  # taken inside _lock, never the other way round
        self._answers = Answers()
        self._ahead_of = -1  # number of the snapshot on which questions were answered ahead
        self._stop = threading.Event()
        self._asked_at, self._counted_at = time.monotonic(), math.inf
        self.refresh()
        self._watcher = threading.Thread(target=self._watch, name="lake-watch", daemon=True)
        if watch:
            self._watcher.start()

    def close(self) -> None:
        """Stop looking and release the lake."""
        self._stop.set()
        self._lookout.interrupt()
        while not self._lock.acquire(timeout=AGAIN_S):
            self._lookout.interrupt()
        try:
            with self._asking.held():
                self._lookout.let_go()
        finally:
            self._lock.release()
        if self._watcher.is_alive():
            self._watcher.join(timeout=5)

    def snapshot(self) -> Snapshot:
        """The newest snapshot; waits for a look only if nobody has asked for a while."""
        idle = time.monotonic() - self._asked_at > _IDLE_S
        self._asked_at = time.monotonic()
        if idle:
            self.refresh()
        return self._lookout.snapshot

    @contextmanager
    def still(self) -> Iterator[None]:
        """Keep the snapshot unchanged within the context, so that figures side by side are of one look."""
        with self._lock:
            yield

    def refresh(self) -> None:
        """Look at the lake. Anything wrong with it becomes the state of the snapshot, never an exception."""
        with self._lock, self._asking.held():
            if self._stop.is_set():
                return
            try:
                if self._lookout.refresh():
                    self._answers.clear()
                    self._lookout.read()
            except Exception as error:  # of any kind: the page reports it, and the next look may succeed
                if self._is_no_news():
                    return
                if not isinstance(error, FleetcrashError):
                    _log.exception("The lake at %s could not be read", self._root)
                self._lookout.fail(" ".join(str(error).split())[:400] or type(error).__name__)

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
        return self.answer(question, lambda engine: engine.frame(question, **parameters), *key, selection=selection)

    def answer(
        self, question: str, ask: Callable[[Engine], T], *key: Hashable, selection: Selection | None = None
    ) -> T:
        """An answer of the core on the newest snapshot. Shared between viewers: do not change it.

        Args:
            question: name of the question. key: what else the answer depends on.
            ask: called once for all viewers until the lake changes, with the tables of the lake kept; again only if
                the answer was dropped meanwhile to make room.
            selection: for questions that read a selection's tables.
        Raises:
            UnknownName: the question was about something that does not exist.
            QueryFailed: the lake or the question failed.
        """
        place = (question, selection, key)
        answer: T | object = self._answers.get(place, _NOT_ASKED)
        if answer is _NOT_ASKED:
            with self._asking.held():
                answer = self._answers.get(place, _NOT_ASKED)  # another thread may have asked it meanwhile
                if answer is _NOT_ASKED:
                    answer = self._asked(question, ask, selection)
                    self._answers.keep(place, answer)
                    self._counted_at = time.monotonic()
        return cast(T, answer)

    def _asked(self, question: str, ask: Callable[[Engine], T], selection: Selection | None) -> T:
        try:
            return ask(self._lookout.ready.engine_for(selection))
        except UnknownName:
            raise
        except Exception as error:
            if not self._is_no_news():
                _log.exception("%s failed", question)
            raise QueryFailed(question, error) from error

    def kept(self, key: Hashable, build: Callable[[], T]) -> T:
        """What ``build`` makes from answers, built once for all viewers and kept like an answer. Do not change it.

        Args:
            build: may ask this feed; the snapshot does not change meanwhile.
        """
        with self.still():
            place = (self._lookout.snapshot.number, key)
            made: T | object = self._answers.get(place, _NOT_ASKED)
            if made is _NOT_ASKED:
                made = build()
                self._answers.keep(place, made)
            return cast(T, made)

    def hit(self, selection: Selection) -> pd.Series:
        """The hosts that crashed and those that were online: the row of ``hosts_affected``.

        For one update it is taken from the table of all updates with the same other filters, if that is cached.

        Raises:
            QueryFailed: the lake or the query failed.
        """
        filters = selection.filters
        told = self._answers.get(("crash_rate_by_update", selection.of_all_updates(), ()))
        if told is not None and len(filters.updates) == 1 and not filters.channels:
            rows = told[told["update_id"] == filters.updates[0]].rename(columns={"hosts_exposed": "hosts_online"})
            if not rows.empty:
                return rows[["hosts_crashed", "crashes", "hosts_online", "host_hours"]].iloc[0]
        return self.frame("hosts_affected", selection).iloc[0]

    def impact(self, update_id: str, condition: Mapping[str, str] | None) -> Impact:
        """The hosts that an update concerns, by state.

        Args:
            condition: hosts that do not match it are left out; None: every one.
        Raises:
            QueryFailed: the lake or the query failed.
        """

        def ask(engine: Engine) -> Impact:
            if not condition:
                return impact_of(engine, update_id, None)
            hosts = self.impact(update_id, None).hosts  # a page that asks for some of them asks for all as well
            return Impact(hosts.filter(pa.array(matching(engine, hosts, condition))))

        return self.answer("host_states", ask, update_id, str(condition))

    def hosts_hit(self, incident: Incident) -> pa.Table | None:
        """The hosts that an incident accounts for, where they are those of no update: ACCOUNTED_COLUMNS.

        None where the monitor has not kept them: it has not looked since this version, or cannot write there.

        Raises:
            QueryFailed: the lake or the query failed.
        """
        accounted = HostLists(self._root).find(incident.told)
        if accounted is None:
            return None
        return self.answer("hosts_hit_now", lambda engine: what_became_of(engine, accounted), incident.incident_id)

    def delay(self, update_id: str, condition: Mapping[str, str] | None) -> Delay | None:
        """What a halt at each minute of an update's rollout would have spared; None if it has reached no host.

        Args:
            condition: hosts that do not match it are left out; None: every one.
        Raises:
            QueryFailed: the lake or the query failed.
        """
        return self.answer(
            "hits_around_install",
            lambda engine: delay_of(engine, update_id, self.impact(update_id, condition)),
            update_id,
            str(condition),
        )

    def clusters(self, selection: Selection) -> tuple[Cluster, ...]:
        """The crash clusters of a selection, most hosts first.

        Raises:
            QueryFailed: the lake or the query failed.
        """
        return self.answer("clusters", lambda _: self._clusters.list(selected=True), selection=selection)

    def cluster(self, cluster_id: str) -> Cluster:
        """A crash cluster, with all known crashes.

        Raises:
            UnknownName: no known crash is in it.
            QueryFailed: the lake or the query failed.
        """
        return self.answer("cluster", lambda _: self._clusters.one(cluster_id), cluster_id)

    def precursors(self, cluster_id: str) -> pd.DataFrame:
        """Updates that came before a cluster was first seen, the nearest first.

        Raises:
            QueryFailed: the lake or the query failed.
        """
        return self.answer("precursors", lambda _: self._clusters.precursors(cluster_id).to_pandas(), cluster_id)

    def sample(self, cluster_id: str) -> Sample:
        """A crash of a cluster with its stack.

        Raises:
            UnknownName: no known crash is in it.
            QueryFailed: the lake or the query failed.
        """
        return self.answer("sample", lambda _: self._clusters.sample(cluster_id), cluster_id)

    def stack(self, crash_id: str) -> Sample:
        """A crash with its stack and its signature.

        Raises:
            UnknownName: the crash is not known.
            QueryFailed: the lake or the query failed.
        """
        return self.answer("stack", lambda _: self._clusters.stack(crash_id), crash_id)

    def sparks(self, selection: Selection, buckets: int) -> Mapping[str, list[int]]:
        """Crashes of each cluster in each of ``buckets`` equal parts of a selection's window.

        Raises:
            QueryFailed: the lake or the query failed.
        """
        bucket_s = (selection.until - selection.since).total_seconds() / buckets

        def ask(engine: Engine) -> Mapping[str, list[int]]:
            counted = engine.table("crashes_by_cluster_bucket", since=selection.since, bucket_s=bucket_s)
            sparks: dict[str, list[int]] = {}
            for cluster_id, bucket, crashes in zip(*(column.to_pylist() for column in counted.columns), strict=True):
                sparks.setdefault(cluster_id, [0] * buckets)[min(bucket, buckets - 1)] += crashes
            return sparks

        return self.answer("sparks", ask, buckets, selection=selection)

    def curve(self, question: str, selection: Selection, bucket_s: int) -> pd.DataFrame:
        """Crashes and host-hours by bucket of a selection's window: the answer of a query.

        Args:
            question: name of a query file that reads TABLES_OF_A_CURVE. bucket_s: width of a bucket.
        Raises:
            QueryFailed: the lake or the query failed.
        """

        def ask(engine: Engine) -> pd.DataFrame:
            for name, query, parameters in selection.kept(TABLES_OF_A_CURVE, bucket_s=bucket_s):
                engine.keep(name, query, **parameters)
            return engine.frame(question, since=selection.since, until=selection.until, bucket_s=bucket_s)

        return self.answer(question, ask, bucket_s, selection=selection)

    def earlier(self, selection: Selection, since: datetime) -> pd.DataFrame:
        """Crashes and host-hours by hour of a selection with an earlier start, for its baseline.

        Args:
            since: no further back than LOOKS_BACK.
        Raises:
            QueryFailed: the lake or the query failed.
        """
        earlier = selection.window(since, selection.until)

        def ask(engine: Engine) -> pd.DataFrame:
            # In addition to the tables of the selection itself, which other questions of the page read.
            for name, query, parameters in earlier.kept_of_baseline():
                engine.keep(name, query, **parameters)
            return engine.frame("earlier_rate_by_hour", since=earlier.since, until=earlier.until)

        return self.answer("earlier_rate_by_hour", ask, since, selection=selection)

    def prepare(self) -> bool:
        """Make one of the tables that most pages read, before somebody waits for it. Returns whether one was left."""
        with self._asking.held_ahead():
            prepared = self._lookout.prepared
            if prepared is None:
                return False
            try:
                return prepared.make_next()
            except Exception:  # of any kind: the next look or question shows it on the page
                if not self._is_no_news():
                    _log.exception("The lake at %s could not be prepared", self._root)
                    prepared.leave_unmade()
                return True

    def answer_ahead(self) -> None:
        """Answer the slowest questions of the likely next page: hosts of open incidents, and what waiting cost.

        Once for each snapshot, whatever the outcome; again only if it gave way.
        """
        with self._asking.held_ahead():
            snapshot = self._lookout.snapshot
            if self._ahead_of == snapshot.number:
                return
            self._ahead_of = snapshot.number
            for incident in snapshot.judgement.open if snapshot.judgement else ():
                if self._stop.is_set():
                    return
                try:
                    if incident.update_id is not None:
                        self.delay(incident.update_id, incident.condition)
                except QueryFailed:
                    if self._asking.gave_way():
                        self._ahead_of = -1
                        return

    @property
    def _clusters(self) -> Clusters:
        return self._lookout.ready.clusters

    def _watch(self) -> None:
        while not self._stop.wait(REFRESH_S):
            if time.monotonic() - self._asked_at <= _IDLE_S:
                self.refresh()
                if time.monotonic() - self._counted_at > _STILL_S and not self.prepare():
                    self.answer_ahead()

    def _is_no_news(self) -> bool:
        """Whether a failure means nothing: the app is ending while a page is open, or work ahead gave way."""
        return self._stop.is_set() or self._asking.gave_way()


@st.cache_resource(show_spinner=False, on_release=Feed.close)
def feed_of(root: str) -> Feed:
    """The feed of the lake at ``root``, one for all viewers of this process."""
    feed = Feed(Path(root))
    atexit.register(feed.close)  # a database that is open at exit leaves noise on stderr
    return feed
