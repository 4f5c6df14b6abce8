"""The questions that pages ask of the lake, each answered once for all viewers."""

from __future__ import annotations

import atexit
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

import pandas as pd
import streamlit as st

from dashboard.lake_watch import LakeWatch
from dashboard.selection import TABLES_OF_A_CURVE, Selection
from dashboard.snapshot import Snapshot
from fleetcrash.attribution.delay import Delay, delay_of
from fleetcrash.attribution.impact import Impact, impact_of
from fleetcrash.clustering import Cluster, Sample
from fleetcrash.store import Engine


class Feed(LakeWatch):
    """A lake as the pages see it; safe for any number of threads."""

    def hit(self, selection: Selection) -> pd.Series:
        """The hosts that crashed and those that were online: the row of ``hosts_affected``.

        Of one update it is what a table of all updates says in its row, where one of the other filters is at hand.

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
        return self.answer(
            "host_states", lambda engine: impact_of(engine, update_id, condition), update_id, str(condition)
        )

    def delay(self, update_id: str, condition: Mapping[str, str] | None) -> Delay | None:
        """What a halt at each minute of an update's rollout would have spared; None where it has reached nobody.

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
        return self.answer("clusters", lambda engine: self._clusters(engine).list(selected=True), selection=selection)

    def cluster(self, cluster_id: str) -> Cluster:
        """A crash cluster, of all that is known.

        Raises:
            UnknownName: no crash that is known is in it.
            QueryFailed: the lake or the query failed.
        """
        return self.answer("cluster", lambda engine: self._clusters(engine).one(cluster_id), cluster_id)

    def precursors(self, cluster_id: str) -> pd.DataFrame:
        """Updates that came before a cluster was first seen, the nearest first.

        Raises:
            QueryFailed: the lake or the query failed.
        """
        return self.answer(
            "precursors", lambda engine: self._clusters(engine).precursors(cluster_id).to_pandas(), cluster_id
        )

    def sample(self, cluster_id: str) -> Sample:
        """A crash of a cluster with its stack.

        Raises:
            UnknownName: no crash that is known is in it.
            QueryFailed: the lake or the query failed.
        """
        return self.answer("sample", lambda engine: self._clusters(engine).sample(cluster_id), cluster_id)

    def stack(self, crash_id: str) -> Sample:
        """A crash with its stack and its signature.

        Raises:
            UnknownName: the crash is not known.
            QueryFailed: the lake or the query failed.
        """
        return self.answer("stack", lambda engine: self._clusters(engine).stack(crash_id), crash_id)

    def sparks(self, selection: Selection, buckets: int) -> Mapping[str, list[int]]:
        """Crashes of each cluster in each of so many equal parts of a selection's window.

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
        """The answer of a query of crashes and host-hours by bucket of a selection's window.

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
            # Beside the tables of the selection itself, which the other questions of the page read.
            for name, query, parameters in earlier.kept_of_baseline():
                engine.keep(name, query, **parameters)
            return engine.frame("earlier_rate_by_hour", since=earlier.since, until=earlier.until)

        return self.answer("earlier_rate_by_hour", ask, since, selection=selection)

    def answer_ahead(self, snapshot: Snapshot) -> None:
        """Answer whom the open incidents hit, and what waiting cost.

        Raises:
            QueryFailed: the lake or a query failed.
        """
        for incident in snapshot.judgement.open if snapshot.judgement else ():
            if incident.update_id is not None:
                self.delay(incident.update_id, incident.condition)


@st.cache_resource(show_spinner=False, on_release=Feed.close)
def feed_of(root: str) -> Feed:
    """The feed of the lake at ``root``, one for all viewers of this process."""
    feed = Feed(Path(root))
    atexit.register(feed.close)  # a database that is open when the interpreter goes leaves noise on stderr
    return feed
