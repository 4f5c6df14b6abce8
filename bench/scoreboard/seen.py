"""A lake as the baselines see it: minute counts as arrays, each figure as it was known by its minute."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from fleetcrash.arrays import Floats, Ints, Narrow
from fleetcrash.attribution.facts.reading import read_news
from fleetcrash.store import Engine

MINUTE_US = 60_000_000
# An event is paired with installs that lie no further from it, before or after.
MEMORY_MINUTES = 72 * 60


@dataclass(frozen=True)
class Seen:
    """What could be seen of a fleet. T ticks, one a minute; U updates; n events; m pairs of an event and an install.

    An event is the first crash of a host in 24 hours, or an always-on host going dark: the same that the detector gets.

    Attributes:
        first_tick: minutes since 1970 of the first tick.
        updates: their ids. released: (U,) tick of the release as the catalogue tells it, or at which it became known.
        online: (T,) hosts online. exposed: (U, T) hosts online that have had the update for less than a day.
        arrived: (n,) tick at which the event was known. signature: (n,) its module as a number.
        exposed_arrived: (U, T) events known in each minute of hosts that had had the update for less than a day.
        pair_event, pair_update, pair_tick: (m,) the event, the update, the tick at which both were known.
        pair_age: (m,) minutes from the install to the event; below zero where the event came first.
    """

    first_tick: int
    updates: tuple[str, ...]
    released: Ints
    online: Floats
    exposed: Floats
    arrived: Ints
    signature: Ints
    exposed_arrived: Floats
    pair_event: Ints
    pair_update: Ints
    pair_tick: Ints
    pair_age: Floats

    @property
    def ticks(self) -> int:
        """How many minutes there are to judge."""
        return len(self.online)

    def arrivals(self) -> Floats:
        """(T,) events known in each minute."""
        return counted(self.arrived, self.ticks)

    def latest(self) -> Ints:
        """(T,) the update that was released last, by what was known; -1 before the first."""
        latest = np.full(self.ticks, -1, np.int64)
        for update in np.argsort(self.released, kind="stable"):
            latest[max(int(self.released[update]), 0) :] = update
        return latest


def read(engine: Engine) -> Seen:
    """Read a lake as of the engine's instant, which is that of the last tick."""
    news = read_news(engine)
    first, ticks = news.first_tick, max(news.last_tick - news.first_tick + 1, 0)
    index = {suspect.update_id: number for number, suspect in enumerate(news.suspects)}
    events = engine.table("detection/events_in_order")
    online, told = news.online, news.exposed
    exposed = np.zeros((len(index), ticks))
    arrived_with = np.zeros((len(index), ticks))
    for update in range(len(index)):
        mine = told.update == update
        exposed[update] = np.cumsum(counted(told.tick[mine] - first, ticks, told.change[mine]))
        mine = news.exposed_events.update == update
        arrived_with[update] = counted(news.exposed_events.tick[mine] - first, ticks)
    pair_event, pair_update, pair_tick, pair_age = _pairs(events, engine.table("known_history"), index)
    known = np.array([suspect.known_tick for suspect in news.suspects], np.int64)
    released = np.array([_tick(suspect.released_us) for suspect in news.suspects], np.int64)
    return Seen(
        first_tick=first,
        updates=tuple(index),
        released=np.maximum(known, released) - first,
        online=np.cumsum(counted(online.minute - first, ticks, online.change)),
        exposed=exposed,
        arrived=news.events.tick - first,
        signature=np.unique([name or "" for name in events["module"].to_pylist()], return_inverse=True)[1],
        exposed_arrived=arrived_with,
        pair_event=pair_event,
        pair_update=pair_update,
        pair_tick=pair_tick - first,
        pair_age=pair_age,
    )


def counted(ticks: Ints | Narrow, size: int, weights: Narrow | None = None) -> Floats:
    """(size,) how many fall in each tick: what is before the first in the first, what is after the last nowhere."""
    within = ticks < size
    weight = None if weights is None else weights[within].astype(float)
    return np.bincount(np.maximum(ticks[within], 0), weight, minlength=size)[:size].astype(float)


def _pairs(events: pa.Table, history: pa.Table, index: dict[str, int]) -> tuple[Ints, Ints, Ints, Floats]:
    """Every event with every install on its host that is near enough."""
    installs = history.filter(pc.is_null(history["since_known"])).select(
        ["host_id", "update_id", "known_at", "exposed_from"]
    )
    joined = events.select(["host_id", "event", "at_us", "tick"]).join(installs, "host_id", join_type="inner")
    age = (_us(joined["at_us"]) - _us(joined["exposed_from"])) / MINUTE_US
    near = np.abs(age) < MEMORY_MINUTES
    update = np.array([index[name] for name in joined["update_id"].to_pylist()], np.int64)
    tick = np.maximum(_us(joined["tick"]), -(-_us(joined["known_at"]) // MINUTE_US))
    return _us(joined["event"])[near], update[near], tick[near], age[near]


def _us(column: pa.ChunkedArray) -> Ints:
    return pc.cast(column, pa.int64()).to_numpy()


def _tick(instant_us: int | None) -> int:
    return 0 if instant_us is None else -(-instant_us // MINUTE_US)
