"""Sessions: the stretches in which hosts are online, as one sorted table with quick questions to it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from sample_data.simulator.clock import DAY, NEVER, Flags, Indices, Moments

# A host's number and a moment as one int64, so that one sorted array answers for all hosts at once. Moments
# lie between 60 days before the first day and 400 after it.
_BEFORE = 60 * DAY
_SPAN = 512 * DAY

# A host that comes back for less than this is not worth a session of its own.
SHORTEST_MS = 20_000


@dataclass(frozen=True)
class Sessions:
    """Stretches online, half-open [on, off), sorted by host and time, without overlap within a host.

    Attributes:
        host: number of the host.
        on, off: ms since start; off may lie after the simulation's end.
        boot: it began with a boot, not with a wake from sleep.
    """

    host: Indices
    on: Moments
    off: Moments
    boot: Flags

    @classmethod
    def sorted(cls, host: Indices, on: Moments, off: Moments, boot: Flags) -> Sessions:
        """Sessions from rows in any order."""
        order = np.lexsort((on, host))
        return cls(host[order].astype(np.int64), on[order], off[order], boot[order])

    def where(self, kept: Flags) -> Sessions:
        """The sessions that are flagged."""
        return Sessions(self.host[kept], self.on[kept], self.off[kept], self.boot[kept])

    def __add__(self, other: Sessions) -> Sessions:
        """These and other ones, of other hosts."""
        columns = ((getattr(self, name), getattr(other, name)) for name in ("host", "on", "off", "boot"))
        return Sessions.sorted(*(np.concatenate(column) for column in columns))

    @cached_property
    def _keys(self) -> Moments:
        return np.asarray(self.host * _SPAN + self.on + _BEFORE, dtype=np.int64)

    def at(self, host: Indices, moment: Moments) -> Indices:
        """Number of the session that began last at or before a moment; -1 where the host has none."""
        clipped = np.clip(moment, -_BEFORE, _SPAN - _BEFORE - 1)
        found = np.searchsorted(self._keys, host * _SPAN + clipped + _BEFORE, side="right") - 1
        known = (found >= 0) & (self.host[np.maximum(found, 0)] == host)
        return np.asarray(np.where(known, found, -1), dtype=np.int64)

    def online(self, host: Indices, moment: Moments) -> Flags:
        """Whether hosts are online at a moment."""
        number = self.at(host, moment)
        return np.asarray((number >= 0) & (moment < self.off[number]), dtype=np.bool_)

    def first_from(self, host: Indices, moment: Moments) -> Indices:
        """Number of the session that holds a moment or else begins next; -1 where there is none."""
        number = self.at(host, moment)
        holds = (number >= 0) & (moment < self.off[number])
        return np.where(holds, number, self._next_begun(host, moment))

    def _next_begun(self, host: Indices, moment: Moments) -> Indices:
        """Number of the first session that begins after a moment; -1 where there is none."""
        clipped = np.clip(moment, -_BEFORE, _SPAN - _BEFORE - 1)
        found = np.searchsorted(self._keys, host * _SPAN + clipped + _BEFORE, side="right")
        inside = np.minimum(found, len(self.host) - 1)
        known = (found < len(self.host)) & (self.host[inside] == host)
        return np.asarray(np.where(known, found, -1), dtype=np.int64)

    def next_begin(self, host: Indices, moment: Moments) -> Moments:
        """When the next session after a moment begins; NEVER where there is none."""
        number = self._next_begun(host, moment)
        return np.where(number >= 0, self.on[number], NEVER)

    def after_online(self, host: Indices, moment: Moments, delay: Moments) -> Moments:
        """When a host will have been online for ``delay`` ms since ``moment``; NEVER if it never will."""
        number = self.first_from(host, moment)
        known = number >= 0
        number = np.maximum(number, 0)
        lengths = self.off - self.on
        before = np.cumsum(lengths) - lengths
        target = before[number] + np.maximum(moment - self.on[number], 0) + delay
        reached = np.searchsorted(before + lengths, target, side="right")
        inside = np.minimum(reached, len(self.host) - 1)
        known &= (reached < len(self.host)) & (self.host[inside] == host)
        return np.where(known, self.on[inside] + target - before[inside], NEVER)

    def next_boot(self, host: Indices, moment: Moments) -> Indices:
        """Number of the first session after a moment that began with a boot; -1 where there is none."""
        begun = self._next_begun(host, moment)
        numbers = np.where(self.boot, np.arange(len(self.host)), NEVER)
        nearest = np.minimum.accumulate(numbers[::-1])[::-1]
        boot = np.where(begun >= 0, nearest[begun], NEVER)
        inside = np.where(boot < NEVER, boot, 0)
        return np.where((boot < NEVER) & (self.host[inside] == host), inside, -1)

    def booted_at(self, booted_before: Moments) -> Moments:
        """When each session's host last booted; ``booted_before`` answers for the time before its first."""
        boots = np.maximum.accumulate(np.where(self.boot, np.arange(len(self.host)), -1))
        inside = np.maximum(boots, 0)
        known = (boots >= 0) & (self.host[inside] == self.host)
        earliest = np.minimum(booted_before[self.host], self.on)
        return np.where(known, self.on[inside], earliest)

    def cut(self, number: Indices, at: Moments, back: Moments, *, boots: bool = True) -> Sessions:
        """End sessions early; the host is back within the same session's time or at its next one.

        Args:
            number: sessions to cut, each once.
            at: the new end, within the session.
            back: when the host is online again.
            boots: it comes back with a boot.
        """
        off, boot = self.off.copy(), self.boot.copy()
        resumes = back + SHORTEST_MS < self.off[number]
        off[number] = at
        following = number[~resumes] + 1
        following = following[following < len(self.host)]
        same = self.host[following] == self.host[following - 1]
        boot[following[same]] |= boots
        kept = off > self.on
        return Sessions.sorted(
            np.concatenate([self.host[kept], self.host[number[resumes]]]),
            np.concatenate([self.on[kept], back[resumes]]),
            np.concatenate([off[kept], self.off[number[resumes]]]),
            np.concatenate([boot[kept], np.full(int(resumes.sum()), boots)]),
        )


def joined(host: Indices, on: Moments, off: Moments, boot: Flags, gap: int) -> Sessions:
    """Sessions from stretches that may overlap: those within ``gap`` ms of one another become one."""
    rows = Sessions.sorted(host, on, off, boot)
    if not len(rows.host):
        return rows
    # With the host's number in front, a running maximum starts anew at each host.
    reach = np.maximum.accumulate(rows.host * _SPAN + np.minimum(rows.off, _SPAN - _BEFORE - 1) + _BEFORE)
    begins = np.ones(len(rows.host), dtype=np.bool_)
    begins[1:] = rows.host[1:] * _SPAN + rows.on[1:] + _BEFORE > reach[:-1] + gap
    first = np.flatnonzero(begins)
    last = np.append(first[1:], len(rows.host)) - 1
    return Sessions(
        rows.host[first], rows.on[first], reach[last] - rows.host[first] * _SPAN - _BEFORE, rows.boot[first]
    )
