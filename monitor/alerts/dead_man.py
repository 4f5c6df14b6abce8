"""The dead man: what the watch says of itself when it sees nothing, or does not get to look."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from enum import StrEnum

from monitor.alerts.config import DeadMan


class Trouble(StrEnum):
    """What is wrong with the watch; also the key of its alert."""

    RECORDS = "dead-man-records"
    TICKS = "dead-man-ticks"

    @property
    def end(self) -> str:
        """What is said when it is over."""
        return "Records come again." if self is Trouble.RECORDS else "The monitor judges again."


@dataclass(frozen=True)
class Feed:
    """How records came in, as the watch saw it; kept, so that a restart does not forget that there was a feed.

    Attributes:
        newest: newest known time of the lake, seconds since 1970; None without records.
        news_at: when that last moved, by our clock as far as we looked; None: never yet. Still to come after a record
            of a host whose clock is ahead: nothing newer can be seen till then, so that silence is not told either.
        steady_since: since when it has kept up with our clock without a gap; None: it does not.
        was_regular: it kept up for long enough, so that its end is news.
    """

    newest: float | None = None
    news_at: float | None = None
    steady_since: float | None = None
    was_regular: bool = False

    def seen(self, newest: float | None, now: float, *, limit_s: float) -> Feed:
        """The feed after a look.

        Args:
            newest: newest known time of the lake at that look. now: by our clock.
            limit_s: a longer silence is one to report.
        """
        if newest is None or newest == self.newest:
            return self
        if abs(now - newest) > limit_s:
            if self.was_regular:  # it came while nobody looked, and nothing has since; or a host's clock is ahead
                return Feed(newest, newest, None, True)
            return Feed(newest, now)  # a replay, or a file of last year: no feed that could stop
        is_gap = self.steady_since is None or self.news_at is None or now - self.news_at > limit_s
        since = now if is_gap or self.steady_since is None else self.steady_since
        return Feed(newest, now, since, self.was_regular or now - since >= limit_s)

    def silent_s(self, now: float, started: float) -> float:
        """For how long nothing came, of a feed that was regular; at most for as long as we watch."""
        if not self.was_regular or self.news_at is None:
            return 0.0
        return max(0.0, now - max(self.news_at, started))

    def as_text(self) -> str:
        """For the outbox."""
        return json.dumps(asdict(self))

    @classmethod
    def from_text(cls, text: str | None) -> Feed:
        """As ``as_text`` wrote it; None: nothing was seen yet."""
        return cls() if text is None else cls(**json.loads(text))


@dataclass
class Watch:
    """How the watch goes.

    Attributes:
        started: of this process, by our clock.
        trying_since: start of the first process since a look succeeded: one that is killed at every look is started
            again and again, and none of them lives to see its own silence.
        looked_at: end of the last look that succeeded; None: none did yet in this process.
        error: of the last look, where it failed.
    """

    settings: DeadMan
    started: float
    trying_since: float
    feed: Feed
    looked_at: float | None = None
    error: str | None = None

    def looked(self, newest: float | None, now: float) -> None:
        """A look succeeded."""
        self.looked_at, self.error = now, None
        self.feed = self.feed.seen(newest, now, limit_s=self.settings.records_min * 60.0)

    def failed(self, error: str) -> None:
        """A look failed."""
        self.error = error

    def troubles(self, now: float) -> dict[Trouble, str]:
        """What is wrong, in a sentence each."""
        found = {}
        unseen_s = now - (self.looked_at if self.looked_at is not None else self.trying_since)
        if unseen_s >= self.settings.ticks_min * 60.0:
            why = f"the last try failed: {self.error}" if self.error else "a look takes longer than that"
            found[Trouble.TICKS] = f"The monitor has judged nothing for {unseen_s / 60.0:.0f} minutes; {why}."
        else:  # who does not look cannot say that nothing came
            silent_s = self.feed.silent_s(now, self.started)
            if silent_s >= self.settings.records_min * 60.0:
                found[Trouble.RECORDS] = (
                    f"No record has come for {silent_s / 60.0:.0f} minutes, of a fleet that sent regularly. "
                    "Look at the collector, and at the way to it."
                )
        return found

    def is_over(self, trouble: Trouble, *, since: float) -> bool:
        """Whether something shows that a trouble is over: that it is not seen shows nothing where we do not look.

        Args:
            since: when it began, by our clock.
        """
        shown_at = self.feed.news_at if trouble is Trouble.RECORDS else self.looked_at
        return shown_at is not None and shown_at >= since
