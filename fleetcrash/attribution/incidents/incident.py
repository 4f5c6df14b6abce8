"""An incident: an alarm, what is said of it, and whose events are its own.

It opens when a test passes, is judged anew at every tick, and ends after an hour at its baseline with nobody dark
because of it: what happens from then on is evidence for others. It closes then, or once neither its hosts go on
crashing nor others with the update that it names; until then, what would name that again is more of it. Its id comes
from the alarm's minute, never from the update, so that it survives a change of verdict.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

import numpy as np

from fleetcrash.arrays import Ints, Mask
from fleetcrash.attribution.conditions.grammar import Condition
from fleetcrash.attribution.expected.baseline import LAG_MINUTES
from fleetcrash.attribution.facts.exposure import KEPT_MINUTES
from fleetcrash.attribution.hypotheses.modules import ModuleRise
from fleetcrash.attribution.hypotheses.suspects import Trial
from fleetcrash.attribution.hypotheses.waves import Waves
from fleetcrash.attribution.incidents.spell import Spell
from fleetcrash.attribution.incidents.statement import Statement
from fleetcrash.attribution.incidents.toll import Toll
from fleetcrash.attribution.weighing.judgement import NAMING_PROBABILITY, Judgement, Kind
from fleetcrash.times import tick_text


@dataclass
class Scope:
    """Whose events may be an incident's, where there are others beside it.

    Attributes:
        within, without: conditions of their hosts.
        ceded_spots: spots in which, from a minute on, events are none of its doing: a wave began there later.
        ceded_updates: updates of after its alarm that have an incident of their own.
    """

    within: Condition | None = None
    without: tuple[Condition, ...] = ()
    ceded_spots: dict[int, int] = field(default_factory=dict)
    ceded_updates: set[int] = field(default_factory=set)

    def part(self, core: Condition) -> Scope:
        """Keep to the hosts that meet a condition; the scope of what the others of them do."""
        rest = Scope(self.within, (*self.without, core))
        self.within = core
        return rest


@dataclass
class Incident:
    """What is known of one incident as of the last tick.

    Attributes:
        incident_id: stable name, from the minute in which it opened.
        opened_tick, ended_tick, closed_tick: when it opened, ended, and closed; None until then.
        alarm_tick: when a test was passed that a name takes; while it is weak, now.
        is_weak: what opened it is less than that; nothing but a name is said of it, and that takes as much as ever.
        said: its verdict and condition, and how they changed.
        judgement, trial, waves: the weights behind it.
        scope: whose events may be its own.
        by_departures: hosts that left soon after they got an update opened it, or tell what did.
        by_outage: servers of one place that fell silent together, and stayed away, opened it; it is of nothing else.
        rise: the modules that it is of, where all crashes together are hardly more than usual; None: whatever happens.
        claims_all: nothing else can open an incident while this one is not understood.
        settled: what is said of it stays, though hosts may still be dark because of it.
        spot: the slice or place in which its rate is watched.
        is_everywhere: it is watched in all of its system, for its update strikes in one place after the other.
        wave_spot: the slice or place that a rise without an update follows.
        contested: while what the condition leaves out looks like another update's.
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
    opened_tick: int
    alarm_tick: int
    said: Statement
    onset_minute: int
    suspected_minute: int
    last_raised_minute: int
    is_weak: bool = False
    ended_tick: int | None = None
    closed_tick: int | None = None
    judgement: Judgement | None = None
    trial: Trial | None = None
    waves: Waves | None = None
    scope: Scope = field(default_factory=Scope)
    by_departures: bool = False
    by_outage: bool = False
    rise: ModuleRise | None = None
    claims_all: bool = True
    settled: bool = False
    spot: int = 0
    is_everywhere: bool = False
    wave_spot: int = 0
    contested: Spell = field(default_factory=Spell)
    condition_events: int = 0
    toll: Toll | None = None
    held: Ints = field(default_factory=lambda: np.zeros(0, np.int64))
    crash_again: float = 0.0
    pauses: list[tuple[int, int]] = field(default_factory=list)
    _claim: Mask | None = None

    @classmethod
    def opened(cls, tick: int, others_in_this_minute: int, *, is_weak: bool = False) -> Incident:
        """A new incident, judged by nobody yet."""
        stamp = tick_text(tick).replace("-", "").replace(":", "")[:13]
        suffix = f"-{others_in_this_minute + 1}" if others_in_this_minute else ""
        return cls(
            f"inc-{stamp}{suffix}".lower(),
            tick,
            tick,
            Statement(),
            onset_minute=tick,
            suspected_minute=tick,
            last_raised_minute=tick,
            is_weak=is_weak,
        )

    @property
    def kind(self) -> Kind:
        """The verdict that is given."""
        return self.said.kind

    @property
    def update(self) -> int | None:
        """The update that is named."""
        return self.said.update

    @property
    def suspect(self) -> int | None:
        """The update that is named, or that is as likely as one has to be for a name.

        Or of what nobody understands the only one that may be behind it.
        """
        if self.update is not None or self.judgement is None or self.trial is None:
            return self.update
        likely = np.flatnonzero(self.judgement.probabilities >= NAMING_PROBABILITY)
        if len(likely) or self.is_understood:
            return int(self.trial.updates[likely[0]]) if len(likely) else None
        tied = {*self.judgement.candidates(self.trial.updates).tolist(), *self.judgement.unweighed}
        return tied.pop() if len(tied) == 1 else None

    @property
    def condition(self) -> Condition | None:
        """The condition that is given."""
        return self.said.condition

    def move(self, moved: Ints) -> None:
        """Take over another numbering of the spots.

        Args:
            moved: (spots before,) the number that each has now.
        """
        self.spot, self.wave_spot = int(moved[self.spot]), int(moved[self.wave_spot])
        ceded = self.scope.ceded_spots.items()
        self.scope.ceded_spots = {int(moved[spot]): onset for spot, onset in ceded}
        if self.waves is not None:
            self.waves = replace(self.waves, spot=moved[self.waves.spot])

    def record(self, tick: int, judgement: Judgement, trial: Trial, waves: Waves, condition: Condition | None) -> None:
        """Say a judgement, and keep the weights behind it."""
        self.judgement, self.trial, self.waves = judgement, trial, waves
        self.said.record(tick, judgement, condition)

    def began_after(self, onset: int) -> bool:
        """Whether a wave from that minute on began so long after a name was given that the name cannot rest on it."""
        named = self.said.named_tick
        return self.update is not None and named is not None and onset > named + LAG_MINUTES

    def cede(self, spot: int, onset: int) -> None:
        """Leave what happens in a spot from a minute on to another incident."""
        if onset < self.scope.ceded_spots.get(spot, onset + 1):
            self.scope.ceded_spots[spot] = onset
            self.condition_events = 0  # it may rest on what is another's now

    @property
    def since(self) -> int:
        """The minute from which on events may be its doing: an hour before its alarm, or its cause's, within a day."""
        began = min(self.onset_minute, self.suspected_minute, self.alarm_tick - LAG_MINUTES)
        return max(began, self.alarm_tick - KEPT_MINUTES)

    def was_there_before(self, other: Incident) -> bool:
        """Whether it had opened before another one named anything: what did that may be behind both."""
        return other.said.named_tick is not None and self.alarm_tick < other.said.named_tick

    def takes_in(self, later: Incident) -> bool:
        """Whether what a later one is of may be more of this one.

        One of a few modules goes on with what strikes in another one, but not with all that happens.
        """
        is_wider = self.rise is None or (later.rise is not None and later.rise.os_type == self.rise.os_type)
        are_apart = self.by_departures or later.by_departures or self.by_outage or later.by_outage
        return is_wider and self.closed_tick is None and not are_apart

    def tolls_before(self, others: Iterable[Incident]) -> dict[int, Toll]:
        """What each update had done, by its index, when the last incident that names it ended before this opened."""
        tolls = [(one.ended(self.alarm_tick), one.toll) for one in others if one.toll is not None]
        before = sorted((told for told in tolls if told[0] < self.alarm_tick), key=lambda told: told[0])
        return {toll.update: toll for _, toll in before}

    @property
    def calm_tick(self) -> int:
        """From when on an hour had been at the baseline, whoever may still be dark; later while it is raised."""
        return max(self.last_raised_minute, self.opened_tick if self.is_weak else self.alarm_tick) + LAG_MINUTES

    @property
    def has_faded(self) -> bool:
        """Whether it was weak as long as it was open."""
        return self.is_weak and self.ended_tick is not None

    @property
    def is_understood(self) -> bool:
        """Whether it is known what did it, an update or none."""
        return self.kind.is_answer

    @property
    def is_unsettled(self) -> bool:
        """Whether something is the matter of which nobody knows what did it."""
        return not (self.is_weak or self.is_understood)

    def settle(self) -> None:
        """Leave what is said of it as it is."""
        self.settled = True
        self.claims_all = False

    def end(self, tick: int) -> None:
        """Claim nothing that happens from now on; what is said of it stays."""
        self.ended_tick = tick
        self.held = np.flatnonzero(self._claim) if self._claim is not None else self.held
        self.settle()

    def close(self, tick: int) -> None:
        """End it, with nothing of it left to wait for."""
        self.end(tick)
        self.closed_tick = tick

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
        self.scope.within, self.scope.without = None, ()
        self.last_raised_minute = tick

    def ended(self, tick: int) -> int:
        """The tick at which it ended; a later one while it goes on."""
        return tick if self.ended_tick is None else self.ended_tick

    def disturbs(self, minute: int) -> bool:
        """Whether the fleet may not have been itself in that minute because of this incident.

        As long as it claims what happens: minutes without their events would teach that hardly anything does.
        """
        if self.is_weak or self.by_outage or self.rise is not None:
            return False  # what happens, or happens elsewhere or in other modules, is as usual
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
