"""The dead man's alerts: the monitor reports that no records arrive, that some are ahead, or that it cannot look."""

from __future__ import annotations

import json
import logging
from dataclasses import asdict, dataclass
from enum import StrEnum

from monitor.alerts.config import DeadMan

LOG = logging.getLogger("fleetcrash.alerts")


class Trouble(StrEnum):
    """What is wrong with the monitor; also the key of the alert."""

    RECORDS = "dead-man-records"
    TICKS = "dead-man-ticks"
    CLOCK = "dead-man-clock"

    @property
    def end(self) -> str:
        """The sentence when it is over."""
        return _ENDS[self]


_ENDS = {
    Trouble.RECORDS: "Records come again.",
    Trouble.TICKS: "The monitor judges again.",
    Trouble.CLOCK: "No record is ahead of this machine's clock any more.",
}


@dataclass(frozen=True)
class Feed:
    """How records arrived; kept on disk, so that a restart does not forget that there was a feed.

    Attributes:
        newest: newest known time of the lake, seconds since 1970; None without records.
        news_at: when that last moved, by our clock; None: never yet. In the future after a record of a host whose clock
            is ahead: nothing newer can be seen until then, so that no silence is reported either.
        steady_since: since when it has kept up with our clock without a gap; None: it does not.
        was_regular: whether it kept up for so long that its end is news.
    """

    newest: float | None = None
    news_at: float | None = None
    steady_since: float | None = None
    was_regular: bool = False

    def seen(self, newest: float | None, now: float, *, limit_s: float) -> Feed:
        """The feed after a look.

        Args:
            newest: newest known time of the lake at that look. now: by our clock.
            limit_s: a longer silence is reported.
        """
        if newest is None or newest == self.newest:
            return self
        if abs(now - newest) > limit_s:
            if self.was_regular:  # the record came while nobody looked, or the clock of a host is ahead
                return Feed(newest, newest, None, True)
            return Feed(newest, now)  # a replay or an old file is no feed that could stop
        is_gap = self.steady_since is None or self.news_at is None or now - self.news_at > limit_s
        since = now if is_gap or self.steady_since is None else self.steady_since
        return Feed(newest, now, since, self.was_regular or now - since >= limit_s)

    def silent_s(self, now: float, started: float) -> float:
        """Seconds without records from a feed that was regular; at most as long as we watch."""
        if not self.was_regular or self.news_at is None:
            return 0.0
        return max(0.0, now - max(self.news_at, started))

    def ahead_s(self, now: float) -> float:
        """Seconds that the newest record of a feed that was regular is ahead of our clock."""
        return max(0.0, self.newest - now) if self.was_regular and self.newest is not None else 0.0

    def as_text(self) -> str:
        """For the outbox."""
        return json.dumps(asdict(self))

    @classmethod
    def from_text(cls, text: str | None) -> Feed:
        """Read what ``as_text`` wrote; None, or something else, such as of a later version: nothing was seen yet."""
        try:
            return cls(**json.loads(text or "{}"))
        except (TypeError, ValueError):
            LOG.error(
                "alerts: what was known of the feed cannot be read; its end is told once it has been regular again"
            )
            return cls()


@dataclass
class Watch:
    """The state of the watch.

    Attributes:
        started: when this process started, by our clock.
        trying_since: start of the first process since a look succeeded. A process that is killed at every look is
            restarted each time, and none lives long enough to see its own silence.
        looked_at: end of the last successful look; None: there was none yet in this process.
        error: of the last look, if it failed.
    """

    settings: DeadMan
    started: float
    trying_since: float
    feed: Feed
    looked_at: float | None = None
    error: str | None = None

    def looked(self, newest: float | None, now: float) -> None:
        """Take note of a look that succeeded."""
        self.looked_at, self.error = now, None
        self.feed = self.feed.seen(newest, now, limit_s=self.settings.records_min * 60.0)

    def failed(self, error: str) -> None:
        """Take note of a look that failed."""
        self.error = error

    def troubles(self, now: float) -> dict[Trouble, str]:
        """What is wrong, one sentence each."""
        found = {}
        unseen_s = now - (self.looked_at if self.looked_at is not None else self.trying_since)
        if unseen_s >= self.settings.ticks_min * 60.0:
            why = f"the last try failed: {self.error}" if self.error else "a look takes longer than that"
            found[Trouble.TICKS] = f"The monitor has judged nothing for {unseen_s / 60.0:.0f} minutes; {why}."
        else:  # without looking we cannot say that nothing came
            silent_s = self.feed.silent_s(now, self.started)
            if silent_s >= self.settings.records_min * 60.0:
                found[Trouble.RECORDS] = (
                    f"No record has come for {silent_s / 60.0:.0f} minutes, of a fleet that sent regularly. "
                    "Look at the collector, and at the way to it."
                )
            ahead_s = self.feed.ahead_s(now)
            if ahead_s >= self.settings.records_min * 60.0:
                found[Trouble.CLOCK] = (
                    f"The newest record is {ahead_s / 60.0:.0f} minutes ahead of this machine's clock: until then "
                    "findings are of a time that has not come, and silence goes unseen. Set the clock of its host, "
                    "or send received_at; fleetcrash forget HOST_ID removes it."
                )
        return found

    def is_over(self, trouble: Trouble, *, since: float) -> bool:
        """Whether it is certain that a trouble is over; while we do not look, not seeing it is no evidence.

        Args:
            since: when it began, by our clock.
        """
        shown_at = self.feed.news_at if trouble is Trouble.RECORDS else self.looked_at
        return shown_at is not None and shown_at >= since
