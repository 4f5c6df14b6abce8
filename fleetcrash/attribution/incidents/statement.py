"""The statement of an incident: what is said of it, which changes less often than what is found, to wake nobody twice.

    said            found                                   so long
    nothing yet     anything                                said at once
    nothing yet     a name, once one was doubted            a quarter of an hour
    a name          another name                            five minutes
    a name          no name                                 a quarter of an hour
    no name         a name, after one was taken back        a quarter of an hour
    "no update"     an update that was there all the time   never, but for one that another incident names
    "no update"     nothing or a tie, with few new events   never
    another answer  anything else but a name                a quarter of an hour
    a condition     none                                    a quarter of an hour

Besides, ``verdict.judge`` keeps an answer by lower odds than it took to give it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from fleetcrash.arrays import Ints
from fleetcrash.attribution.conditions.grammar import Condition
from fleetcrash.attribution.expected.baseline import LAG_MINUTES
from fleetcrash.attribution.facts.exposure import KEPT_MINUTES
from fleetcrash.attribution.incidents.spell import Spell
from fleetcrash.attribution.weighing.judgement import JUDGING_MINUTES, Judgement, Kind, Lack

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
class Statement:
    """What is said of an incident, and what has to be kept in mind to change it.

    Attributes:
        named_tick: when it first named an update; None until then.
        kind, update, condition: the verdict now.
        history: every change of verdict, update or condition.
        doubt: while the evidence does not carry the verdict that is given.
        regained: while the evidence carries a name, after one was taken back or questioned.
        unearned: while the condition that is given is not earned.
        was_questioned: an update would have been named, but for its witnesses.
        acquitted_tick: the newest one at which the evidence carried "no update".
        tied: updates that could not be told from others before their hosts' first day with them was over, and the
            minutes of their releases.
    """

    named_tick: int | None = None
    kind: Kind = Kind.UNDETERMINED
    update: int | None = None
    condition: Condition | None = None
    history: list[Turn] = field(default_factory=list)
    doubt: Spell = field(default_factory=Spell)
    regained: Spell = field(default_factory=Spell)
    unearned: Spell = field(default_factory=Spell)
    was_questioned: bool = False
    acquitted_tick: int = -1
    tied: dict[int, int] = field(default_factory=dict)

    def record(self, tick: int, judgement: Judgement, condition: Condition | None) -> None:
        """Say a judgement; a change of verdict, update or condition is a turn of the history."""
        changed = (judgement.kind, judgement.update, condition) != (self.kind, self.update, self.condition)
        self.kind, self.update, self.condition = judgement.kind, judgement.update, condition
        if judgement.kind is Kind.UPDATE and self.named_tick is None:
            self.named_tick = tick
        if changed or not self.history:
            self.history.append(Turn(tick, self.kind, self.update, self.condition))

    def note_carried(self, tick: int, judgement: Judgement) -> None:
        """Keep in mind when the evidence carried "no update"."""
        if judgement.kind is Kind.NO_UPDATE:
            self.acquitted_tick = tick

    def stays_acquitted(self, tick: int, judgement: Judgement, known: Ints) -> bool:
        """Whether "no update" stands as it was said, though the evidence does not carry it now.

        As time goes by a rise that is over fits its beginning less and less: that alone is nothing new.

        Args:
            known: (n,) the ticks at which the incident's events were known.
        """
        if self.kind is not Kind.NO_UPDATE or judgement.kind.is_answer:
            return False
        before, now = (int((known <= one).sum()) for one in (self.acquitted_tick, tick))
        return now <= before * (1.0 + _LEAST_GROWTH)

    def weigh(self, tick: int, judgement: Judgement, updates: Ints, released: int | None = None) -> Judgement:
        """The judgement; or the name that was given, while that has been in doubt for a short time only.

        In the worst minutes crashes are told before the installs that they follow, and a name that goes and comes back
        wakes people twice. Another update's name is taken sooner than none. After a name was taken back, or one was
        not given for its witnesses, it has to stand for a quarter of an hour.

        Args:
            updates: (U,) those on trial.
            released: the minute in which the update that is judged guilty was released; None: none is.
        """
        if self.update is None:
            return self._weigh_new_name(tick, judgement, released)
        if judgement.update == self.update or self.update not in updates:
            self.doubt.end()
            return judgement
        so_long = RENAMING_MINUTES if judgement.kind is Kind.UPDATE else JUDGING_MINUTES
        if tick - self.doubt.begin(tick) >= so_long:
            self.doubt.end()
            return judgement
        return replace(judgement, kind=Kind.UPDATE, update=self.update)

    def keep_tied(self, tick: int, released: Mapping[int, int], *, minutes_open: int) -> None:
        """Keep in mind the updates that are not told apart while those of a day ago are about to pass out of sight.

        What happens to a host is held against an update for a day. Of two that cannot be told apart the younger one
        would seem the likelier after that, for no other reason, or the older one, whose hosts boot twice before the
        younger is out of sight as well. Those that are told apart before are let go.

        Args:
            released: the updates that are not told apart, with the minutes of their releases.
            minutes_open: minutes since the alarm.
        """
        if self.update is None and minutes_open >= JUDGING_MINUTES:
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
            and not (judgement.is_known or judgement.is_told_by_hosts or judgement.is_told_by_delay)
            and self._was_cleared(tick, judgement.update, released)
        ):
            return replace(judgement, kind=self.kind, update=None)
        if judgement.update is None:
            self.regained.end()
            self.was_questioned |= judgement.is_doubted
            return self._weigh_other_verdict(tick, judgement)
        is_first = self.named_tick is None and not self.was_questioned
        if is_first or tick - self.regained.begin(tick) >= JUDGING_MINUTES:
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
        less, and an update that may act at each age in its own way fits ever better. Which hosts are struck does not
        follow how long they have had it for that.
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
        if tick - self.doubt.begin(tick) >= JUDGING_MINUTES:
            self.doubt.end()
            return judgement
        return replace(judgement, kind=self.kind)

    def weigh_condition(self, tick: int, found: Condition | None) -> Condition | None:
        """The condition; or the one that was given, while none has been earned for less than a quarter of an hour."""
        if found is not None or self.condition is None:
            self.unearned.end()
            return found
        return None if tick - self.unearned.begin(tick) >= JUDGING_MINUTES else self.condition

    def has_named(self, update: int | None, tick: int, minutes: int) -> bool:
        """Whether it names an update, and has for so many minutes."""
        since = tick
        for turn in reversed(self.history):
            if turn.update != update:
                break
            since = turn.tick
        return self.update == update and tick - since >= minutes

    def may_be_renamed(self, tick: int) -> bool:
        """Whether it names nothing, or a name that has been in doubt for as long as it takes to give another."""
        if self.update is None:
            return True
        return self.doubt.since is not None and not self.doubt.is_younger(tick, RENAMING_MINUTES)

    @property
    def needed(self) -> frozenset[str]:
        """Other updates that a host must have for the named one to strike it, as was said at some time."""
        conditions = [turn.condition or {} for turn in self.history if turn.update == self.update]
        return frozenset(told["with_update"] for told in conditions if "with_update" in told)
