"""Backtests: what the monitor would have said at every tick of a stretch of time, from what was known by then."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from itertools import chain

import numpy as np

from fleetcrash.attribution.detection.detector import Detector
from fleetcrash.attribution.expected.expectation import UNHEARD_MINUTES
from fleetcrash.attribution.facts.exposure import KEPT_MINUTES
from fleetcrash.attribution.facts.news import News
from fleetcrash.attribution.facts.reading import read_news
from fleetcrash.attribution.reporting.report import document
from fleetcrash.documents import JSON
from fleetcrash.errors import BadArgument
from fleetcrash.store.asking import judged_instant
from fleetcrash.store.engine import Engine
from fleetcrash.store.lake import Lake
from fleetcrash.times import DAY, tick_time, time_text

Progress = Callable[[int, int], None]
"""Called with ticks done and ticks in all."""

# What happened is judged for a day, and an incident ends an hour after it is over: three days without a record leave
# nothing to change.
_STILL_MINUTES = 3 * DAY
_LEAST_GAP = _STILL_MINUTES + KEPT_MINUTES  # the minutes that are kept are taken in before anything happens again


@dataclass(frozen=True)
class Span:
    """The ticks of a backtest.

    Attributes:
        since: incidents that alarmed at or before it are not listed; None: from the first record on.
        until: the last instant to judge; None: the newest known time.
        step_minutes: minutes between looks.
    """

    since: datetime | None = None
    until: datetime | None = None
    step_minutes: int = 1


def incidents(lake: Lake, *, as_of: datetime | None = None, progress: Progress | None = None) -> JSON:
    """The contract's ``incidents`` document as of an instant.

    Raises:
        LakeError: the lake cannot be read or holds no record.
    """
    with Engine(lake, as_of=as_of) as engine:
        return incidents_of(engine, progress=progress)


def incidents_of(engine: Engine, *, progress: Progress | None = None) -> JSON:
    """The same from an engine that the caller has, so that what else it is asked rests on the same records.

    Raises:
        LakeError: the lake cannot be read or holds no record.
    """
    instant = judged_instant(engine)
    detector = run(engine, step_minutes=1, progress=progress)
    return document(engine, detector, instant, detector.incidents)


def backtest(lake: Lake, span: Span, *, progress: Progress | None = None) -> JSON:
    """The contract's ``backtest`` document.

    Raises:
        LakeError: the lake cannot be read or holds no record.
        BadArgument: the span ends before it begins or begins after the newest record, or the step is no whole number of
            minutes from one on.
    """
    started = time.perf_counter()
    if span.step_minutes < 1:
        raise BadArgument(f"A step of {span.step_minutes} minutes is too short; the least is one minute.")
    if span.since is not None and span.until is not None and span.since >= span.until:
        raise BadArgument(f"--from {time_text(span.since)} is not before --to {time_text(span.until)}.")
    with Engine(lake, as_of=span.until) as engine:
        until = judged_instant(engine)
        if span.since is not None and span.since >= until:
            raise BadArgument(f"--from {time_text(span.since)} is not before the newest record, of {time_text(until)}.")
        detector = run(engine, step_minutes=span.step_minutes, progress=progress)
        first = min(tick_time(detector.news.first_tick), until)  # within the first minute there is no tick yet
        since = first if span.since is None else span.since
        listed = [incident for incident in detector.incidents if since < tick_time(incident.opened_tick) <= until]
        found = document(engine, detector, until, listed)
    begun, ended = (int(instant.timestamp() // (60 * span.step_minutes)) for instant in (max(since, first), until))
    return {
        **found,
        "from": time_text(since),
        "to": time_text(until),
        "step_s": span.step_minutes * 60,
        "ticks": max(ended - begun, 0),
        "seconds": round(time.perf_counter() - started, 3),
    }


def run(engine: Engine, *, step_minutes: int, progress: Progress | None = None) -> Detector:
    """Tick from the first record to the engine's instant, looking every ``step_minutes``.

    Or, where that is years ahead of the records, until no tick changes anything any more.
    """
    news = read_news(engine)
    detector = Detector(news)
    newest = engine.newest_known()
    still = news.last_tick if newest is None else int(newest.timestamp()) // 60 + _STILL_MINUTES
    stretches = lively(news, news.first_tick, min(news.last_tick, still))
    ticks = sum(map(len, stretches))
    for done, tick in enumerate(chain.from_iterable(stretches)):
        detector.tick(tick, look=tick % step_minutes == 0)
        if progress is not None and done % 60 == 0:
            progress(done, ticks)
    return detector


def lively(news: News, first_tick: int, last_tick: int) -> list[range]:
    """The ticks from one to another, but for those amid days in which nobody was online and nothing came to be known.

    Or, where somebody was, amid weeks in which nothing did, and of which nothing is learned. A record of a clock that
    stood at 1970 would else cost millions of them.

    Args:
        news: all there is to know, from the first tick on.
    """
    events = np.sort(np.concatenate([news.events.tick, news.again.tick]))
    told = events[(events > first_tick) & (events < last_tick)].astype(np.int64)
    edges = np.concatenate([[first_tick], told, [last_tick]])
    stretches, begin = [], first_tick
    for gap in np.flatnonzero(np.diff(edges) > _LEAST_GAP).tolist():
        beside = [
            rows[slice(*np.searchsorted(rows, edges[gap : gap + 2].astype(rows.dtype)))]
            for rows in (news.online.minute, news.exposed.tick)
        ]
        changes = np.unique(np.concatenate([edges[gap : gap + 2], *beside]))
        for still in np.flatnonzero(np.diff(changes) > _LEAST_GAP).tolist():
            until = np.searchsorted(news.online.minute, np.int32(changes[still]), side="right")
            unheard = UNHEARD_MINUTES if news.online.change[:until].sum() else 0
            end, again = int(changes[still]) + _STILL_MINUTES + unheard, int(changes[still + 1]) - KEPT_MINUTES
            if end < again:
                stretches.append(range(begin, end))
                begin = again
    return [*stretches, range(begin, last_tick + 1)]
