"""An incident: an alarm, what is said of it, and how that changed.

It opens when a test passes, is judged anew at every tick, and ends after an hour at its baseline with nobody dark
because of it: what happens from then on is evidence for others. It closes then, or once neither its hosts go on
crashing nor others with the update that it names; until then, what would name that again is more of it. Its id comes
from the alarm's minute, never from the update, so that it survives a change of verdict.

What is said of it changes less often than what is found, so that nobody is woken twice for the same thing:

    said            found                                   so long
    nothing yet     anything                                said at once
    nothing yet     a name, once one was doubted            a quarter of an hour
    a name          another name                            five minutes
    a name          no name                                 a quarter of an hour
    no name         a name, after one was taken back        a quarter of an hour
    "no update"     an update that was there all the time   never
    "no update"     nothing or a tie, with few new events   never
    another answer  anything else but a name                a quarter of an hour
    a condition     none                                    a quarter of an hour

Besides, ``verdict.judge`` keeps an answer by lower odds than it took to give it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from fleetcrash.arrays import Ints, Mask
from fleetcrash.attribution.baseline import LAG_MINUTES
from fleetcrash.attribution.conditions import Condition
from fleetcrash.attribution.exposure import KEPT_MINUTES
from fleetcrash.attribution.modules import ModuleRise
from fleetcrash.attribution.spell import Spell
from fleetcrash.attribution.suspects import Trial
from fleetcrash.attribution.toll import Toll
from fleetcrash.attribution.verdict import JUDGING_MINUTES, Judgement, Kind, Lack
from fleetcrash.attribution.waves import Waves
from fleetcrash.times import tick_text

# For how long another update has to be found before its name is taken; a wrong name is worse than a late one, and none.
RENAMING_MINUTES = 5

# An answer that rests on events is not taken back before there are more of them by this share.
_LEAST_GROWTH = 0.1

# In the last hours of the hosts' first day with an update a tie is noted; one of long before may have been broken.
_BEFORE_OUT_OF_SIGHT = 240


@dataclass(frozen=True)
class Turn:
    """One change of what is said."""

    tick: int
    kind: Kind
    update: int | None
    condition: Condition | None


@dataclass
class Incident:
    """What is known of one incident as of the last tick.

    Attributes:
        incident_id: stable name, from the minute of the alarm.
        alarm_tick, named_tick, ended_tick, closed_tick: when it opened, first named an update, ended, and closed; None
            until then.
        kind, update, condition: the verdict now.
        judgement, trial, waves: the weights behind it.
        history: every change of verdict, update or condition.
        claims_all: nothing else can open an incident while this one is not understood.
        settled: what is said of it stays, though hosts may still be dark because of it.
        spot: the slice or place in which its rate is watched.
        is_everywhere: it is watched in all of its system, for its update strikes in one place after the other.
        wave_spot: the slice or place that a rise without an update follows.
        doubt: while the evidence does not carry the verdict that is given.
        was_questioned: an update would have been named, but for its witnesses.
        acquitted_tick: the newest one at which the evidence carried "no update".
        regained: while the evidence carries a name, after one was taken back or questioned.
        tied: updates that could not be told from others before their hosts' first day with them was over, and the
            minutes of their releases.
        unearned: while the condition that is given is not earned.
        contested: while what the condition leaves out looks like another update's.
        by_departures: hosts that left soon after they got an update opened it, or tell what did.
        rise: the module that it is of, where all crashes together are hardly more than usual; None: whatever happens.
        within, without: conditions of the hosts whose events may be the incident's, where it has others beside it.
        ceded_spots: spots in which, from a minute on, events are none of its doing: a wave began there later.
        ceded_updates: updates of after its alarm that have an incident of their own.
        condition_events: how many events the condition rests on.
        toll: what the named update had done when it ended.
        held: the events that it accounted for when it ended; another incident may since.
        crash_again: how many of its hosts crash again in an hour at its baseline; known once it ended.
        onset_minute: from when on a wave is held to have raised the rate.
        suspected_minute: from when on its likeliest cause may have done so; of a slow fault hours before the alarm.
        last_raised_minute: newest tick at which the hour before was above the baseline.
        pauses: after which minute it ended, and up to which one that was so, each time that it was resumed.
    """

    incident_id: str
    alarm_tick: int
    onset_minute: int
    suspected_minute: int
    last_raised_minute: int
    named_tick: int | None = None
    ended_tick: int | None = None
    closed_tick: int | None = None
    doubt: Spell = field(default_factory=Spell)
    was_questioned: bool = False
    acquitted_tick: int = -1
    regained: Spell = field(default_factory=Spell)
    contested: Spell = field(default_factory=Spell)
    tied: dict[int, int] = field(default_factory=dict)
    unearned: Spell = field(default_factory=Spell)
    by_departures: bool = False
    rise: ModuleRise | None = None
    within: Condition | None = None
    without: tuple[Condition, ...] = ()
    ceded_spots: dict[int, int] = field(default_factory=dict)
    ceded_updates: set[int] = field(default_factory=set)
    kind: Kind = Kind.UNDETERMINED
    update: int | None = None
    condition: Condition | None = None
    judgement: Judgement | None = None
    trial: Trial | None = None
    waves: Waves | None = None
    history: list[Turn] = field(default_factory=list)
    claims_all: bool = True
    settled: bool = False
    spot: int = 0
    wave_spot: int = 0
    condition_events: int = 0
    toll: Toll | None = None
    held: Ints = field(default_factory=lambda: np.zeros(0, np.int64))
    crash_again: float = 0.0
    is_everywhere: bool = False
    pauses: list[tuple[int, int]] = field(default_factory=list)
    _claim: Mask | None = None

    @classmethod
    def opened(cls, tick: int, others_in_this_minute: int) -> Incident:
        """A new incident, judged by nobody yet."""
        stamp = tick_text(tick).replace("-", "").replace(":", "")[:13]
        suffix = f"-{others_in_this_minute + 1}" if others_in_this_minute else ""
        return cls(
            f"inc-{stamp}{suffix}".lower(), tick, onset_minute=tick, suspected_minute=tick, last_raised_minute=tick
        )

    def move(self, moved: Ints) -> None:
        """Take over another numbering of the spots.

        Args:
            moved: (spots before,) the number that each has now.
        """
        self.spot, self.wave_spot = int(moved[self.spot]), int(moved[self.wave_spot])
        self.ceded_spots = {int(moved[spot]): onset for spot, onset in self.ceded_spots.items()}
        if self.waves is not None:
            self.waves = replace(self.waves, spot=moved[self.waves.spot])

    def record(self, tick: int, judgement: Judgement, trial: Trial, waves: Waves, condition: Condition | None) -> None:
        """Take over a judgement; a change of verdict, update or condition is a turn of the history."""
        changed = (judgement.kind, judgement.update, condition) != (self.kind, self.update, self.condition)
        self.kind, self.update, self.condition = judgement.kind, judgement.update, condition
        self.judgement, self.trial, self.waves = judgement, trial, waves
        if judgement.kind is Kind.UPDATE and self.named_tick is None:
            self.named_tick = tick
        if changed or not self.history:
            self.history.append(Turn(tick, self.kind, self.update, self.condition))

    def stays_acquitted(self, tick: int, judgement: Judgement, known: Ints) -> bool:
        """Whether "no update" stands as it was said, though the evidence does not carry it now.

        As time goes by a rise that is over fits its beginning less and less: that alone is nothing new. Keeps in mind
        when the evidence carried it.

        Args:
            known: (events,) the ticks at which all events were known.
        """
        if judgement.kind is Kind.NO_UPDATE:
            self.acquitted_tick = tick
        if self.kind is not Kind.NO_UPDATE or judgement.kind.is_answer:
            return False
        mine = known[self.claim(len(known))]
        before, now = (int((mine <= one).sum()) for one in (self.acquitted_tick, tick))
        return now <= before * (1.0 + _LEAST_GROWTH)

    def weigh(self, tick: int, judgement: Judgement, trial: Trial, released: int | None = None) -> Judgement:
        """The judgement; or the name that was given, while that has been in doubt for a short time only.

        In the worst minutes crashes are told before the installs that they follow, and a name that goes and comes back
        wakes people twice. Another update's name is taken sooner than none. After a name was taken back, or one was
        not given for its witnesses, it has to stand for a quarter of an hour.

        Args:
            released: the minute in which the update that is judged guilty was released; None: none is.
        """
        if self.update is None:
            return self._weigh_new_name(tick, judgement, released)
        if judgement.update == self.update or self.update not in trial.updates:
            self.doubt.end()
            return judgement
        if self.doubt.lasted(tick, RENAMING_MINUTES if judgement.kind is Kind.UPDATE else JUDGING_MINUTES):
            self.doubt.end()
            return judgement
        return replace(judgement, kind=Kind.UPDATE, update=self.update)

    def keep_tied(self, tick: int, released: Mapping[int, int]) -> None:
        """Keep in mind the updates that are not told apart while those of a day ago are about to pass out of sight.

        What happens to a host is held against an update for a day. Of two that cannot be told apart the younger one
        would seem the likelier after that, for no other reason, or the older one, whose hosts boot twice before the
        younger is out of sight as well. Those that are told apart before are let go.

        Args:
            released: the updates that are not told apart, with the minutes of their releases.
        """
        if self.update is None and tick - self.alarm_tick >= JUDGING_MINUTES:
            self.tied = {
                one: at for one, at in self.tied.items() if one in released or self._left(tick, at) < LAG_MINUTES
            }
            self.tied |= {one: at for one, at in released.items() if self._left(tick, at) <= _BEFORE_OUT_OF_SIGHT}

    @staticmethod
    def _left(tick: int, released: int) -> int:
        """Minutes until what follows an update of that minute passes out of sight."""
        return KEPT_MINUTES - (tick - released)

    def _weigh_new_name(self, tick: int, judgement: Judgement, released: int | None) -> Judgement:
        if released is not None and not judgement.is_told_by_hosts and self._is_tied(judgement.update, released):
            return replace(judgement, kind=Kind.CANNOT_SEPARATE, update=None, lacks=Lack.LATELY)
        if (
            judgement.update is not None
            and released is not None
            and self._was_cleared(tick, judgement.update, released)
        ):
            return replace(judgement, kind=self.kind, update=None)
        if judgement.update is None:
            self.regained.end()
            self.was_questioned |= judgement.is_doubted
            return self._weigh_other_verdict(tick, judgement)
        is_first = self.named_tick is None and not self.was_questioned
        if is_first or self.regained.lasted(tick, JUDGING_MINUTES):
            self.doubt.end()
            return judgement
        return replace(judgement, kind=self.kind, update=None)

    def _is_tied(self, update: int | None, released: int) -> bool:
        """Whether another may have done it that passed out of sight before the two were told apart."""
        others = [at for one, at in self.tied.items() if one != update]
        return any(at < released or update in self.tied for at in others)

    def _was_cleared(self, tick: int, update: int, released: int) -> bool:
        """Whether an update was there, and never named, when it was said for a quarter of an hour that none did it.

        As hosts that crashed are gone and the day goes by, a rise that lasts for hours fits its beginning less and
        less, and an update that may act at each age in its own way fits ever better.
        """
        if any(turn.update == update for turn in self.history):
            return False
        ends = [turn.tick for turn in self.history[1:]] + [tick]
        return any(
            turn.kind is Kind.NO_UPDATE and end - turn.tick >= JUDGING_MINUTES and released <= turn.tick
            for turn, end in zip(self.history, ends, strict=False)  # no turn yet: nothing was said
        )

    def _weigh_other_verdict(self, tick: int, judgement: Judgement) -> Judgement:
        """The judgement, which names nothing; or the verdict that was given, in doubt for a short time only."""
        if self.kind in (Kind.UNDETERMINED, judgement.kind):
            self.doubt.end()
            return judgement
        if self.doubt.lasted(tick, JUDGING_MINUTES):
            self.doubt.end()
            return judgement
        return replace(judgement, kind=self.kind)

    def weigh_condition(self, tick: int, found: Condition | None) -> Condition | None:
        """The condition; or the one that was given, while none has been earned for less than a quarter of an hour."""
        if found is not None or self.condition is None:
            self.unearned.end()
            return found
        return None if self.unearned.lasted(tick, JUDGING_MINUTES) else self.condition

    def began_after(self, onset: int) -> bool:
        """Whether a wave from that minute on began so long after a name was given that the name cannot rest on it."""
        return self.update is not None and self.named_tick is not None and onset > self.named_tick + LAG_MINUTES

    def cede(self, spot: int, onset: int) -> None:
        """Leave what happens in a spot from a minute on to another incident."""
        if onset < self.ceded_spots.get(spot, onset + 1):
            self.ceded_spots[spot] = onset
            self.condition_events = 0  # it may rest on what is another's now

    def may_be_renamed(self, tick: int) -> bool:
        """Whether it names nothing, or a name that has been in doubt for as long as it takes to give another."""
        if self.update is None:
            return True
        return self.doubt.since is not None and not self.doubt.is_younger(tick, RENAMING_MINUTES)

    @property
    def since(self) -> int:
        """The minute from which on events may be its doing: an hour before its alarm, or its cause's, within a day."""
        began = min(self.onset_minute, self.suspected_minute, self.alarm_tick - LAG_MINUTES)
        return max(began, self.alarm_tick - KEPT_MINUTES)

    def was_there_before(self, other: Incident) -> bool:
        """Whether it had opened before another one named anything: what did that may be behind both."""
        return other.named_tick is not None and self.alarm_tick < other.named_tick

    def tolls_before(self, others: Iterable[Incident]) -> dict[int, Toll]:
        """What each update had done, by its index, when the last incident that names it ended before this opened."""
        tolls = [(one.ended(self.alarm_tick), one.toll) for one in others if one.toll is not None]
        before = sorted((told for told in tolls if told[0] < self.alarm_tick), key=lambda told: told[0])
        return {toll.update: toll for _, toll in before}

    @property
    def calm_tick(self) -> int:
        """From when on an hour had been at the baseline, whoever may still be dark; later while it is raised."""
        return max(self.last_raised_minute, self.alarm_tick) + LAG_MINUTES

    @property
    def needed(self) -> frozenset[str]:
        """Other updates that a host must have for the named one to strike it, as was said at some time."""
        conditions = [turn.condition or {} for turn in self.history if turn.update == self.update]
        return frozenset(told["with_update"] for told in conditions if "with_update" in told)

    @property
    def is_understood(self) -> bool:
        """Whether it is known what did it, an update or none."""
        return self.kind.is_answer

    def settle(self) -> None:
        """Leave what is said of it as it is."""
        self.settled = True
        self.claims_all = False

    def end(self, tick: int) -> None:
        """Claim nothing that happens from now on; what is said of it stays."""
        self.ended_tick = tick
        self.held = np.flatnonzero(self._claim) if self._claim is not None else self.held
        self.settle()

    def resume(self, tick: int, *, elsewhere: bool) -> None:
        """Go on, with what happens from an hour before on if it ended, and with whatever part of it had its own.

        Args:
            elsewhere: whether it does so where it was not watched.
        """
        self.is_everywhere |= elsewhere
        if self.ended_tick is not None:
            self.pauses.append((self.ended_tick, tick - LAG_MINUTES))
            self.ended_tick = self.toll = None
            self.settled = False
        self.within, self.without = None, ()
        self.last_raised_minute = tick

    def has_named(self, update: int | None, tick: int, minutes: int) -> bool:
        """Whether it names an update, and has for so many minutes."""
        since = tick
        for turn in reversed(self.history):
            if turn.update != update:
                break
            since = turn.tick
        return self.update == update and tick - since >= minutes

    def ended(self, tick: int) -> int:
        """The tick at which it ended; a later one while it goes on."""
        return tick if self.ended_tick is None else self.ended_tick

    def disturbs(self, minute: int) -> bool:
        """Whether the fleet may not have been itself in that minute because of this incident.

        As long as it claims what happens: minutes without their events would teach that hardly anything does.
        """
        if self.rise is not None:
            return False  # what happens in other modules is as usual
        until = self.last_raised_minute + LAG_MINUTES
        if self.update is not None:
            until = max(until, self.suspected_minute + KEPT_MINUTES)
        return self.since <= minute and (self.claims_all or minute <= until)

    def claim(self, events: int) -> Mask:
        """(events,) which events the incident accounts for."""
        if self._claim is None:
            return np.zeros(events, bool)
        if len(self._claim) < events:
            self._claim = np.pad(self._claim, (0, events - len(self._claim)))
        return self._claim

    def set_claim(self, claim: Mask) -> None:
        """Replace the events that the incident accounts for."""
        self._claim = claim
