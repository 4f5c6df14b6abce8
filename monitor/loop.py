"""The monitor: looks at the lake again and again, and appends what it finds to the lake's ``incident`` table.

It judges every whole minute up to the newest known time, however far apart its looks are, so that a monitor that was
stopped, or that falls behind, finds the same as one that was not. The fleet's clock is the lake's newest known time; a
minute that has just ended is judged a few seconds later, as records may still be on their way to the lake.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING

import pyarrow as pa

from fleetcrash.attribution.backtest import lively
from fleetcrash.attribution.detection.detector import Detector
from fleetcrash.attribution.facts.news import News
from fleetcrash.attribution.facts.reading import read_news
from fleetcrash.attribution.reporting.accounted import accounted_for
from fleetcrash.attribution.reporting.report import document
from fleetcrash.documents import JSON
from fleetcrash.errors import LakeError, is_fault, one_line
from fleetcrash.store import Engine, Lake
from fleetcrash.store.host_lists import HostLists
from fleetcrash.store.housekeeping import compact
from fleetcrash.terminal import readable
from fleetcrash.times import tick_time
from monitor.metrics import Metrics

if TYPE_CHECKING:
    from monitor.alerts.alerting import Alerting
    from monitor.alerts.following import Following

LOG = logging.getLogger("fleetcrash.monitor")

_WRITER = "monitor"
_COMPACT_EVERY = 100  # looks; each commits, and leaves a file

# A record is in the lake a second (between two commits) and the work of a commit after the instant at which it is
# known, and collectors that share a lake each commit in their own time. A record that comes after its minute was
# judged has all minutes judged again, which takes minutes on a large lake.
_SETTLED_S = 5.0

# Hosts may tell late of when they were online, as laptops do that held heartbeats up; in a large fleet some always do.
# To judge all minutes again for that may take so long, or else so much of the time.
_SHORT_S, _SHARE_OF_TIME = 5.0, 0.05

# For how long a late record waits for the next minute to be judged, where the lake's clock runs with ours.
_NEXT_MINUTE_S = 120.0


class Monitor:
    """A watch over one lake. Not for two threads at once.

    Args:
        lake: where the records are and the findings go.
        metrics: counts ticks; None: they are not counted.
        clock: seconds since 1970.
    Attributes:
        newest_known: newest known time of the lake at the last read; None without records.
    """

    def __init__(self, lake: Lake, metrics: Metrics | None = None, *, clock: Callable[[], float] = time.time) -> None:
        self._lake = lake
        self._clock = clock
        self._metrics = metrics or Metrics()
        self._engine = Engine(lake)
        self._detector: Detector | None = None
        self._ticked = -1
        self._judged_on: tuple[object, ...] = ()
        self._changed = False  # since the newest judgement
        self._is_off = False  # some hosts were online, or had an update, at other minutes than was counted
        self._begun_s = self._took_s = 0.0  # when all minutes were judged last, and how long that took
        self.newest_known: datetime | None = None

    def look(self) -> JSON | None:
        """Judge every minute that became known and settled since the last look, and keep the findings.

        If records of minutes that were already judged came in, these minutes are judged again, even without a new one.

        Returns:
            The ``incidents`` document, or None when nothing new was known.
        Raises:
            LakeError: the lake cannot be read or written.
        """
        self._refresh()
        if self.newest_known is None:
            return None
        newest_s = self.newest_known.timestamp()
        last_tick = self._settled_tick(newest_s)
        if last_tick <= self._ticked and not self._must_judge_again(newest_s):
            return None
        # Records of the minute that is not judged yet must not be seen.
        as_of = min(self.newest_known, tick_time(last_tick + 1) - timedelta(microseconds=1))
        self._engine.as_of = as_of
        self._changed = False
        detector = self._advance()
        found = document(self._engine, detector, as_of, detector.incidents)
        self._keep_hosts(detector, found)  # first, so that whoever reads the findings finds them
        self._keep(as_of, found)
        return found

    def _refresh(self) -> None:
        """Take the lake's newest snapshot."""
        if self._engine.refresh() or self.newest_known is None:
            self._changed = True
            self.newest_known = self._engine.newest_known()

    def _must_judge_again(self, newest_s: float) -> bool:
        """Whether judged minutes have changed since, and no new minute is due whose judgement would notice."""
        if not self._changed or (self._detector is not None and abs(self._clock() - newest_s) < _NEXT_MINUTE_S):
            return False
        self._changed = self._detector is None or self._basis() != self._judged_on  # it may have been our own row
        return self._changed

    def _settled_tick(self, newest_s: float) -> int:
        """The last minute whose records are all in the lake, by its clock or, if nothing more arrives, by ours.

        The minute that ends at 12:05:00 is settled once a record of 12:05:05 is known, or once one of 12:05:00 is and
        our clock says 12:05:05.
        """
        return int(max(newest_s - _SETTLED_S, min(newest_s, self._clock() - _SETTLED_S)) // 60)

    def close(self) -> None:
        """Let go of the lake."""
        self._engine.close()

    def _advance(self) -> Detector:
        """The detector at the newest minute."""
        if self._detector is not None and self._basis() != self._judged_on:
            # Earlier findings must take into account records that came late, and a source of exposure that has changed.
            LOG.info("records of the past arrived; judging again from the first")
            self._detector = None
        detector = self._detector
        news = read_news(self._engine, after_tick=-1 if detector is None else self._ticked)
        if detector is not None and self._must_begin_anew(news, detector.news):
            LOG.info("what was told of the past has changed; judging again from the first")
            detector, news = None, read_news(self._engine)
        begun_s, is_whole = time.monotonic(), detector is None
        if detector is None:
            detector = Detector(news)
            ticks = lively(news, news.first_tick, news.last_tick)
        else:
            detector.extend(news)
            ticks = [range(self._ticked + 1, news.last_tick + 1)]
        for tick in chain.from_iterable(ticks):
            detector.tick(tick)
            self._metrics.judged(1)
        self._ticked = news.last_tick
        if is_whole:
            self._begun_s, self._took_s, self._is_off = begun_s, time.monotonic() - begun_s, False
        if news.first_tick <= news.last_tick:  # else there is no event yet, and so no first minute
            self._detector = detector
        self._judged_on = self._basis()
        return detector

    def _must_begin_anew(self, news: News, judged: News) -> bool:
        """Whether all minutes must be judged again, by news that come after those judged; what may wait is noted."""
        if not news.can_be_added_to(judged):
            return True
        self._is_off |= not news.follows(judged)
        may_wait = self._took_s > _SHORT_S and self._took_s > _SHARE_OF_TIME * (time.monotonic() - self._begun_s)
        return self._is_off and not may_wait

    def _basis(self) -> tuple[object, ...]:
        """What the judged minutes depend on; it does not change while only news arrives."""
        counted = self._engine.rows("records_known_by", tick=self._ticked)[0]
        sources = self._engine.rows("sources_of_exposure")[0]
        return (*counted.values(), *sources.values(), *self._engine.unheard_systems)

    def _keep_hosts(self, detector: Detector, found: JSON) -> None:
        """Keep the hosts of incidents that are those of no update, of which anybody could ask the lake."""
        lists = HostLists(self._lake.root)
        for incident, told in zip(detector.incidents, found["incidents"], strict=True):
            if told["update_id"] is None or detector.news.crashes_only:
                lists.keep(self._engine, told, partial(accounted_for, self._engine, detector, incident))

    def _keep(self, as_of: datetime, found: JSON) -> None:
        """Append the findings, unless another monitor has appended the same or later ones."""
        text = json.dumps(found, allow_nan=False)
        while True:
            kept = self._lake.sequence("incident", _WRITER)  # read before the rows, so that a later append is noticed
            self._refresh()
            rows = self._engine.rows("incident_now", newest=self.newest_known)
            if rows and (rows[0]["as_of"] > as_of or rows[0]["document"] == text):
                return
            row = pa.table({"as_of": [as_of], "ticked_at": [datetime.now(UTC)], "document": [text]})
            if self._lake.append("incident", row, batch_id=_WRITER, sequence=kept + 1):
                return


def watch(
    lake: Lake,
    *,
    interval_s: float,
    stop: threading.Event,
    alerting: Alerting | Following,
    metrics: Metrics | None = None,
) -> None:
    """Look at the lake every ``interval_s`` seconds until stopped. A look that fails is told, and tried again.

    Args:
        interval_s: from the start of one look to the start of the next; after a longer look the next begins at once.
        stop: set it to end the watch after the current look.
        alerting: gets the result of each look.
        metrics: counts looks; None: they are not counted.
    """
    metrics = metrics or Metrics()
    monitor: Monitor | None = None
    looks, said = 0, ""
    try:
        while not stop.is_set():
            started = time.monotonic()
            try:
                monitor = monitor or Monitor(lake, metrics)
                found = monitor.look()
                metrics.looked(time.monotonic() - started, time.time(), incidents_open=_open_in(found))
                alerting.looked(found, monitor.newest_known)
                if found is not None:
                    looks += 1
                    said = _tell(found, said)
                    if looks % _COMPACT_EVERY == 0:
                        _compact(lake)
            except BaseException as error:
                if stop.is_set() or not is_fault(error):  # a stopped engine raises an error of its own
                    raise
                LOG.error("this look failed, and is tried again: %s", one_line(error))
                metrics.failed()
                alerting.failed(one_line(error))
                if monitor is not None:  # its engine may be in any state
                    monitor.close()
                    monitor = None
            stop.wait(max(interval_s - (time.monotonic() - started), 0.0))
    finally:
        if monitor is not None:
            monitor.close()


def _compact(lake: Lake) -> None:
    """Merge the files of the findings. If that fails the findings are there all the same: no look has failed."""
    try:
        compact(lake, "incident")
    except LakeError as error:  # others may be merging them
        LOG.warning("the findings could not be compacted: %s", one_line(error))


def _open_in(found: JSON | None) -> int | None:
    return None if found is None else sum(incident["closed_at"] is None for incident in found["incidents"])


def _tell(found: JSON, said: str) -> str:
    """Log the verdicts if they have changed, and return them."""
    open_now = [incident for incident in found["incidents"] if incident["closed_at"] is None]
    verdicts = [(one["incident_id"], one["verdict"], one["update_id"], one["condition"]) for one in open_now]
    if repr(verdicts) != said:
        summary = "; ".join(incident["summary"] for incident in open_now) or "all quiet"
        LOG.info("%.16sZ  %s", found["as_of"], readable(summary))  # to the minute
    return repr(verdicts)
