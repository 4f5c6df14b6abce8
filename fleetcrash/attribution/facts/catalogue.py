"""What is known of updates at a tick: of what was said of one the newest counts, from when it was known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import overload

from fleetcrash.times import US_A_MINUTE


@dataclass(frozen=True)
class Suspect:
    """An update as the catalogue and the installs tell it.

    Attributes:
        released_us: microseconds since 1970, None where unknown.
        known_tick: first tick at which the catalogue or an install named it.
        told_tick: first tick at which the catalogue did; None where it lacks it.
    """

    update_id: str
    kind: str | None
    version: str | None
    released_us: int | None
    known_tick: int
    told_tick: int | None

    @property
    def released_minute(self) -> int | None:
        """The minute of its release, named by its end as all are."""
        return None if self.released_us is None else -(-self.released_us // US_A_MINUTE)


@dataclass(frozen=True)
class Said:
    """An update as it was told from a tick on."""

    tick: int
    update: int
    suspect: Suspect


class Catalogue(Sequence[Suspect]):
    """The updates by their index, each as it is known at the tick to which this was turned; before that as first told.

    Args:
        said: of each update at least once, sorted by tick; the updates are numbered in the order in which they come.
    """

    def __init__(self, said: Sequence[Said]) -> None:
        self._said = tuple(said)
        self._now: list[Suspect] = []
        self._later: list[Said] = []
        for one in self._said:
            if one.update == len(self._now):
                self._now.append(one.suspect)
            else:
                self._later.append(one)
        self._turned = 0

    def turn_to(self, tick: int) -> None:
        """Take in what was said by a tick. Ticks come in order."""
        while self._turned < len(self._later) and self._later[self._turned].tick <= tick:
            one = self._later[self._turned]
            self._now[one.update] = one.suspect
            self._turned += 1

    def said_by(self, tick: int) -> tuple[Said, ...]:
        """What was said by a tick, in order."""
        return tuple(one for one in self._said if one.tick <= tick)

    @overload
    def __getitem__(self, update: int) -> Suspect: ...

    @overload
    def __getitem__(self, update: slice) -> Sequence[Suspect]: ...

    def __getitem__(self, update: int | slice) -> Suspect | Sequence[Suspect]:
        return self._now[update]

    def __len__(self) -> int:
        return len(self._now)

    def __eq__(self, other: object) -> bool:
        """Whether the same was said of the same updates, to whatever tick either is turned."""
        return isinstance(other, Catalogue) and self._said == other._said

    __hash__ = None  # type: ignore[assignment]  # it is turned from tick to tick
