"""Alerting for a lake: it gets the findings from the loop; news goes into the outbox and from there to receivers."""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self

from fleetcrash.documents import JSON
from fleetcrash.times import parse_time
from monitor.alerts.config import Config
from monitor.alerts.courier import Courier
from monitor.alerts.course import Told, news_of
from monitor.alerts.dead_man import Feed, Trouble, Watch
from monitor.alerts.leader import Leader
from monitor.alerts.message import Event, compose, incident_content, other_content, taken_back
from monitor.alerts.outbox import Kept, Outbox
from monitor.alerts.posting import NoAnswer, request
from monitor.alerts.receivers import Receiver
from monitor.metrics import Metrics, Standing

LOG = logging.getLogger("fleetcrash.alerts")

PING_EVERY_S = 60.0
# If a receiver lacks news for so long, something is wrong: only the outside watchdog may still reach somebody.
STUCK_S = 900.0

_STEP_EVERY_S = 2.0
_ENDS_WITHIN_S = 1.0
# As in incident_now.sql: findings so far ahead of the newest record rest on one that is gone; nearer ones may rest on
# one that this look has not seen yet.
_SURELY_GONE = timedelta(minutes=10)
_SEEN = "seen_as_of"  # as_of of the newest document that was compared
_FEED = "feed"
_TRYING_SINCE = "trying_since"  # empty once a look has succeeded


@dataclass(frozen=True)
class _Sender:
    """A receiver that a thread sends to.

    Attributes:
        stop: ends the thread.
    """

    receiver: Receiver
    stop: threading.Event = field(default_factory=threading.Event)


class Alerting:
    """Alerts of one lake. Leaving the context stops the threads; undelivered messages stay for the next process.

    Neither a receiver nor the outbox ever delays or ends the loop: failures are logged and tried again.

    Args:
        clock: seconds since 1970.
        metrics: counts tries to send; None: they are not counted.
    Raises:
        LakeError: the outbox cannot be used.
    """

    def __init__(
        self,
        lake_root: Path,
        config: Config,
        *,
        clock: Callable[[], float] = time.time,
        metrics: Metrics | None = None,
    ) -> None:
        self.outbox = Outbox(lake_root)
        self._metrics = metrics
        self._config = config
        self._clock = clock
        self._names = [one.name for one in config.receivers]
        self._leader = Leader(lake_root)
        self._found: JSON | None = None
        self._newest: datetime | None = None
        started, trying_since = clock(), self.outbox.meta(_TRYING_SINCE)
        feed = Feed.from_text(self.outbox.meta(_FEED))
        self._watch = Watch(config.dead_man, started, float(trying_since or started), feed)
        self._pinged_at = float("-inf")
        self._lock = threading.RLock()  # for deciding what to send; sending goes on without it
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []
        self._served: dict[str, _Sender] = {}
        self._is_serving = False

    def __enter__(self) -> Self:
        self._start(self._keep_on, "fleetcrash-alerts")
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._stop.set()
        for one in list(self._served.values()):
            one.stop.set()
        deadline = time.monotonic() + _ENDS_WITHIN_S
        for thread in self._threads:
            thread.join(max(deadline - time.monotonic(), 0.0))
        if not any(thread.is_alive() for thread in self._threads):  # else one waits for an answer, and ends with us
            self.outbox.close()
            self._leader.free()

    @property
    def leads(self) -> bool:
        """Whether this process is the one that sends."""
        return self._leader.is_held

    def looked(self, found: JSON | None, newest: datetime | None) -> None:
        """Take the result of a look.

        Args:
            found: the ``incidents`` document; None if nothing new was known.
            newest: newest known time of the lake; None without records.
        """
        with self._lock:
            self._found, self._newest = found or self._found, newest
            self._watch.looked(None if newest is None else newest.timestamp(), self._clock())
        self._tried(self._told)

    def failed(self, error: str) -> None:
        """Take note of a look that failed; the error is one line."""
        with self._lock:
            self._watch.failed(error)

    def step(self) -> None:
        """Do what is due: become the leader, send delayed updates, check the dead man's conditions.

        Raises:
            sqlite3.Error, OSError: the outbox cannot be written.
        """
        self._told()
        if self.leads and self._config.dead_man.address is not None:
            self._ping()

    def change(self, config: Config) -> None:
        """Switch to another configuration. New receivers get what is open.

        A message that is under way to a receiver that was removed or changed may still arrive there.
        """
        with self._lock:
            self._config = config
            self._names = [one.name for one in config.receivers]
            self._watch.settings = config.dead_man
            self._is_serving = False
        self._tried(self._told)

    def couriers(self) -> list[Courier]:
        """One courier for each receiver."""
        return [self._courier(receiver) for receiver in self._config.receivers]

    def _courier(self, receiver: Receiver) -> Courier:
        return Courier(self.outbox, receiver, clock=self._clock, metrics=self._metrics)

    def standing(self) -> Standing:
        """The state of alerting; without waiting messages if the outbox cannot be read."""
        try:
            waiting = {one["name"]: int(one["waiting"]) for one in self.outbox.receivers(self._clock())}
        except sqlite3.Error:
            waiting = {}
        return Standing(self.leads, waiting)

    def _told(self) -> None:
        """Put all news into the outbox, if this process is the one that sends."""
        with self._lock:
            if not self._leader.take():
                return
            if not self._is_serving:
                self._serve()
            self._tell_incidents()
            self._tell_troubles()

    def _serve(self) -> None:
        """Run a thread for each receiver of the configuration, and stop those of others."""
        if self._stop.is_set():
            return
        wanted = {one.name: one for one in self._config.receivers}
        self.outbox.open_to(self._names, now=self._clock())
        for name, one in list(self._served.items()):
            if wanted.get(name) != one.receiver:
                one.stop.set()
                del self._served[name]
                self.outbox.try_at_once(name)  # the cause of its failure may have been fixed
        for name, receiver in wanted.items() if self._threads else ():
            if name not in self._served:
                served = self._served[name] = _Sender(receiver)
                self._start(partial(self._courier(receiver).run, served.stop), f"fleetcrash-alerts-{name}")
        self._is_serving = True

    def _tell_incidents(self) -> None:
        """Compare the findings with what was last sent."""
        found, seen = self._found, self.outbox.meta(_SEEN)
        if found is None or (seen is not None and self._is_older(found["as_of"], seen)):
            return  # another monitor saw more, and has sent it
        now, kept = self._clock(), self.outbox.alerts()
        for incident in found["incidents"]:
            before = kept.get(incident["incident_id"])
            told = None if before is None else _last_told(before)
            news = news_of(incident, told, now=now)
            if news is None or (before is None and not _is_ours(incident, seen)):
                continue
            content = incident_content(incident, as_of=found["as_of"], dashboard=self._config.dashboard)
            sequence = 1 if before is None else before.sequence + 1
            message = compose(incident["incident_id"], sequence, news.event, content, changed=list(news.changed))
            self.outbox.tell("incident", message, news.told.as_text(), receivers=self._names, now=now)
        listed = {incident["incident_id"] for incident in found["incidents"]}
        for one in kept.values():
            if one.kind == "incident" and one.is_open and one.key not in listed:
                self._take_back(one, found["as_of"], now)
        if found["as_of"] != seen:
            self.outbox.set_meta(_SEEN, found["as_of"])

    def _is_older(self, as_of: str, seen: str) -> bool:
        """Whether findings are older than those last sent, of which the lake still has the records."""
        is_gone = self._newest is not None and parse_time(seen) > self._newest + _SURELY_GONE
        return parse_time(as_of) < parse_time(seen) and not is_gone

    def _take_back(self, one: Kept, as_of: str, now: float) -> None:
        """End an alert whose incident no longer exists because late records have changed the past."""
        told = replace(_last_told(one), is_open=False, at=now)
        try:
            message = taken_back(self.outbox.message(one.number), as_of=as_of)
        except (LookupError, TypeError, ValueError):
            LOG.error("alerts: the last message of %s cannot be read; its end is told without it", one.key)
            summary = "Taken back after records that came late."
            content = other_content("incident", starts_at=one.at, ends_at=now, summary=summary)
            message = compose(one.key, one.sequence + 1, Event.RESOLVED, content, changed=[])
        self.outbox.tell("incident", message, told.as_text(), receivers=self._names, now=now)

    def _tell_troubles(self) -> None:
        """Open and resolve the dead man's alerts."""
        now, kept = self._clock(), self.outbox.alerts()
        troubles = self._watch.troubles(now)
        for trouble in Trouble:
            before = kept.get(trouble)
            if before is None or not before.is_open:
                if trouble in troubles:
                    content = other_content("dead_man", starts_at=now, ends_at=None, summary=troubles[trouble])
                    self._tell_trouble(trouble, before, Event.OPENED, content, now)
            elif trouble not in troubles and self._watch.is_over(trouble, since=before.at):
                content = other_content("dead_man", starts_at=before.at, ends_at=now, summary=trouble.end)
                self._tell_trouble(trouble, before, Event.RESOLVED, content, now)
        trying_since = repr(self._watch.trying_since) if self._watch.looked_at is None else ""
        for key, value in ((_FEED, self._watch.feed.as_text()), (_TRYING_SINCE, trying_since)):
            if value != self.outbox.meta(key):
                self.outbox.set_meta(key, value)

    def _tell_trouble(self, trouble: Trouble, before: Kept | None, event: Event, content: JSON, now: float) -> None:
        sequence = 1 if before is None else before.sequence + 1
        message = compose(trouble, sequence, event, content, changed=[])
        self.outbox.tell("dead_man", message, "", receivers=self._names, now=now)

    def _ping(self) -> None:
        """Ping the outside watchdog while all is well."""
        now, dead_man = self._clock(), self._config.dead_man
        if dead_man.address is None or 0.0 <= now - self._pinged_at < PING_EVERY_S:
            return
        with self._lock:
            if self._watch.looked_at is None or self._watch.troubles(now):
                return
        waiting = [one["oldest_at"] for one in self.outbox.receivers(now) if one["oldest_at"] is not None]
        if waiting and now - min(waiting) >= STUCK_S:
            return
        self._pinged_at = now
        try:
            answer = request(dead_man.method, dead_man.address, headers={"User-Agent": "fleetcrash"}, now=now)
        except NoAnswer as error:
            LOG.warning("the outside watchdog was not reached: %s", error)
            return
        if not 200 <= answer.status < 300:
            LOG.warning("the outside watchdog answered HTTP %d", answer.status)

    def _keep_on(self) -> None:
        while not self._stop.is_set():
            self._tried(self.step)
            self._stop.wait(_STEP_EVERY_S)

    def _tried(self, work: Callable[[], None]) -> None:
        """Do something whose failure must not end the thread; what is unsent now is sent later."""
        try:
            work()
        except (sqlite3.Error, OSError) as error:
            LOG.error("alerts: %s cannot be used, and is tried again: %s", self.outbox.path, error)
        except Exception:
            LOG.exception("alerts: a fault of ours; it is tried again")

    def _start(self, work: Callable[[], None], name: str) -> None:
        thread = threading.Thread(target=work, name=name, daemon=True)
        self._threads = [*(one for one in self._threads if one.is_alive()), thread]
        thread.start()


def _last_told(kept: Kept) -> Told:
    """What was last sent about an alert. If that is damaged, only whether it is open: all else is news again."""
    try:
        return Told.from_text(kept.told)
    except ValueError:
        if kept.is_open:  # about one that is over nothing more is sent, so no need to log it
            LOG.error("alerts: what was told of %s cannot be read; it is told again", kept.key)
        return Told(kept.is_open, "", None, None, 0, float("-inf"))


def _is_ours(incident: JSON, seen: str | None) -> bool:
    """Whether to report an incident for the first time: not if it was over before alerting began."""
    closed_at = incident["closed_at"]
    return closed_at is None or (seen is not None and parse_time(closed_at) > parse_time(seen))
