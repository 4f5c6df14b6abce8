"""What the hosts of a case say of an update on trial: asked where it matters, for it is dear, and once."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache, cached_property

import numpy as np

from fleetcrash.arrays import Mask
from fleetcrash.attribution.evidence import LOG_THOUSAND
from fleetcrash.attribution.expected.baseline import CRASH_AT_BOOT, DARK
from fleetcrash.attribution.facts.exposure import AGE_MINUTES, AGES
from fleetcrash.attribution.hearing import doubts
from fleetcrash.attribution.hearing.after_install import log_by_delay
from fleetcrash.attribution.hearing.missing_installs import joined_later
from fleetcrash.attribution.hearing.older import Held, held_by
from fleetcrash.attribution.hearing.whole_places import log_odds
from fleetcrash.attribution.hypotheses.contrast import Moments
from fleetcrash.attribution.hypotheses.inquiry import Inquiry
from fleetcrash.attribution.hypotheses.suspects import LOG_THRESHOLD, Trial
from fleetcrash.attribution.hypotheses.waves import Beginning
from fleetcrash.attribution.hypotheses.witnesses import at_their_places, log_among_alike, log_within, to_look_at
from fleetcrash.attribution.incidents.case import Case
from fleetcrash.attribution.weighing.odds import LOG_BY_DELAY
from fleetcrash.attribution.weighing.rivalry import LOG_HINT, LOG_MARGIN
from fleetcrash.counts import MOSTLY
from fleetcrash.times import DAY

_AT_ONCE_AGES, _SOON_AGES = np.searchsorted(AGE_MINUTES, (10, 60), side="right").tolist()  # of installs: under an hour

_LOST = 0.3  # of the installs; more are seldom lost
# What hosts have to say for an update that strikes late, where most of the struck hosts lack it.
_LOG_MOST_LACK = 2.0 * LOG_THOUSAND
_LEAST_LACKING = 5  # of the struck hosts; so few may have lost their installs, whatever their share

_LEAST_BEFORE = 5  # events before the release; fewer say nothing of how many there are since
_MORE = 2.0  # times as much as before

_MOST_BOOTS = 400  # of crashes at boots that are asked about
# So few of the struck hosts may lack what strikes them: installs that were lost. More than so many may not.
_STRAY_SHARE, _FEW_STRAYS = 0.03, 2
# Where more do, hosts say so many times as much as of anything else: who boots more often has more of it all.
_TIMES_OTHERS = 4.0
# What hosts have to say for an update that strikes at boots, where most of the hosts beside have it as well.
_LOG_ALONE = 2.0 * LOG_THOUSAND


class Testimony:
    """What hosts say of an update on trial, by its index: ``asked.Hosts`` and ``verdict.Hosts``.

    Each question is put to the lake once.
    """

    def __init__(self, inquiry: Inquiry, case: Case, trial: Trial) -> None:
        self._inquiry, self._case, self._trial = inquiry, case, trial
        self.pushed = cache(inquiry.pushed)
        self.of_hosts = cache(self._of_hosts)
        self.by_delay = cache(self._by_delay)
        self._held_at_boots = cache(self._asked_at_boots)

    @cached_property
    def _moments(self) -> Moments:
        return self._inquiry.moments(self._case.tick, self._case.events)

    def _of_hosts(self, update: int) -> float:
        """What hosts with the update and those beside them say for it."""
        crashes = self._moments.of(update).log_most()
        return max(crashes, self._inquiry.departures.log_test(update)) if self._trial.by_departures else crashes

    def _by_delay(self, update: int) -> float:
        """What it says for the update how long after its install each host was struck."""
        return self._after_install(update, self._case.events, among_holders=False)

    def by_timer(self, update: int, wave: Beginning) -> float:
        """The same of the events of a wave, among the hosts that had the update."""
        if self.joined_later(update, wave):
            return 0.0
        return self._after_install(update, self._of_wave(wave), among_holders=True)

    def joined_later(self, update: int, wave: Beginning) -> bool:
        """Whether of the events of a wave many are of hosts that lack the update, most of which came later."""
        with_it = self._inquiry.events_with(update, self._case.tick)
        return joined_later(~with_it[self._of_wave(wave)])

    def _of_wave(self, wave: Beginning) -> Mask:
        return self._inquiry.struck_by_wave(self._case.events, wave, self._case.tick)

    def _after_install(self, update: int, events: Mask, *, among_holders: bool) -> float:
        inquiry, tick = self._inquiry, self._case.tick
        row = self._trial.row_of(update)
        if self._case.incident is None or not inquiry.news.presence_told:
            return 0.0
        if self._trial.log_test[row] < LOG_THRESHOLD:
            return 0.0
        cells = inquiry.spots.slices.members[self._trial.likeliest_slice(row)] > 0
        there = events & cells[inquiry.news.events.cell]
        released = int(self.pushed(update)[0])
        return log_by_delay(inquiry.news, tick, there, update, released, among_holders=among_holders)

    def at_place(self, update: int, wave: Beginning) -> float:
        """What the hosts at the place of a wave, or alike in what it is of, say for the update by the events there."""
        news, struck = self._inquiry.news, self._of_wave(wave)
        if not news.presence_told or not struck.any():  # who lacks it may be offline else
            return 0.0
        return log_within(at_their_places(news, update, struck), self._inquiry.spots.name(wave.spot)[0])

    def among_alike(self, update: int, wave: Beginning) -> float:
        """The least that hosts alike in one attribute say for the update by the events of a wave."""
        return log_among_alike(self._inquiry.news, update, self._of_wave(wave))

    def goes_on(self, update: int) -> bool:
        """Whether the events are what an ended incident's update was to do."""
        if update not in self._case.tolls:
            return False
        there = self._case.events & self._case.cells[self._inquiry.news.events.cell]
        return self._case.tolls[update].goes_on(self._inquiry, self._case.tick, there)

    def is_doubtful(self, update: int, onset: int | None) -> bool:
        """Whether some of its hosts alone tell what speaks for the update.

        Args:
            onset: the minute in which the best wave began, if there is one.
        """
        asked = (
            self._is_at_blamed_place,
            self._strikes_others_as_well,
            self._was_so_before,
            self._may_be_of_known,
            self._leaves_out_some_boots,
            self._is_left_for_another,
            self._went_to_whole_places,
        )
        return any(is_so(update) for is_so in asked) or doubts.is_doubtful(
            self._inquiry,
            self._case.tick,
            self._case.events,
            self._trial,
            update,
            onset,
            told_by_delay=lambda: self.by_delay(update) >= LOG_BY_DELAY,
            is_known=update in self._case.named_elsewhere,
            strikes_late=self.strikes_late(update),
        )

    def _went_to_whole_places(self, update: int) -> bool:
        """Whether as few customers, or sites, got it as may all be in trouble, and nothing but that they did tells.

        It may strike at once. Else hosts may be struck as long after they got it as its fault would have it, if that is
        within hours; or hosts there that lack it are spared.
        """
        inquiry, tick = self._inquiry, self._case.tick
        if not inquiry.news.installs_told or self._strikes_mostly(update, _AT_ONCE_AGES):
            return False
        if not self.strikes_late(update):
            among_holders = self._after_install(update, self._case.events, among_holders=True)
            if among_holders >= LOG_BY_DELAY:
                return False
        struck = np.flatnonzero(self._case.events & inquiry.events_with(update, tick))
        if not len(struck):
            return False
        few = [one for one, chance in log_odds(inquiry, update, tick, struck).items() if chance < LOG_THOUSAND]
        says = doubts.log_at_places(inquiry, update, tick, self._case.events, struck, few)
        return any(most < LOG_THOUSAND for most in says)

    def _strikes_others_as_well(self, update: int) -> bool:
        """Whether hours after its installs many hosts are struck that never had it, and hosts say too little for it.

        Of a rise that has gone on for longer than waves are looked for, and of any that lasts for a day, an update
        takes its part of the events. As many as are struck without it may be installs that are lost.
        """
        inquiry, tick = self._inquiry, self._case.tick
        if not inquiry.news.installs_told or not self.strikes_late(update):
            return False
        said = self.of_hosts(update)
        if said >= _LOG_MOST_LACK or self.by_delay(update) >= LOG_BY_DELAY:
            return False
        struck = doubts.struck_beside(inquiry, update, tick, self._case.events, self._trial)
        lack = int(struck.sum())
        if lack > MOSTLY * len(struck):
            return True
        return said < LOG_THOUSAND and lack > max(_LEAST_LACKING, _LOST * len(struck))

    def _was_so_before(self, update: int) -> bool:
        """Whether about as much happened where the update is likeliest in the day before it was sent out.

        To its hosts more than twice as much would have. What another update is known to have done is left out.
        """
        inquiry, tick, incident = self._inquiry, self._case.tick, self._case.incident
        released = int(self.pushed(update)[0])
        began, since = max(released - DAY, inquiry.first_tick), max(tick - DAY, inquiry.first_tick)
        if incident is None or incident.by_departures or incident.rise is not None or began >= released:
            return False
        row, events = self._trial.row_of(update), inquiry.news.events
        spot = self._trial.likeliest_slice(row)
        before = self._case.of_no_update & inquiry.spots.events_at(spot) & (events.tick <= tick)
        before &= (events.minute >= began) & (events.minute < released)
        if before.sum() < _LEAST_BEFORE or self.of_hosts(update) >= LOG_MARGIN:
            return False
        # What is usual is known of the last day alone, in which there were as many hosts at least as in one before.
        usual = float(inquiry.expected.since(spot, since + 1).sum()) * (released - began) / max(tick - since, 1)
        struck, expected = (of[:, row, :AGES, spot].sum() for of in (self._trial.events, self._trial.expected))
        return bool(struck * usual < _MORE * before.sum() * expected)

    def _may_be_of_known(self, update: int) -> bool:
        """Whether it strikes hours after its installs, hosts say nothing for it, and another update's fault goes on.

        Hosts that are struck by that one may never tell of its install, and what everybody got that day fits those.
        """
        if not self._case.named_elsewhere - {update} or not self._inquiry.news.installs_told:
            return False
        return self.strikes_late(update) and self.of_hosts(update) < LOG_HINT

    def _is_left_for_another(self, update: int) -> bool:
        """Whether servers fall silent, and by the laptops that leave it may as well be another update's doing.

        Of two that the same servers got, a single one that fell silent by itself may seem to tell.
        """
        row = self._trial.row_of(update)
        events = self._trial.events_of(row)
        if self._trial.by_departures or events[DARK].sum() <= MOSTLY * events.sum():
            return False
        left = self._inquiry.departures.log_test
        rivals = np.flatnonzero(self._trial.log_test >= LOG_THRESHOLD).tolist()
        both = {
            one: float(self._trial.log_evidence[one]) + max(left(int(self._trial.updates[one])), 0.0)
            for one in (row, *rivals)
        }
        return any(both[one] > both[row] - LOG_MARGIN for one in both if one != row)

    def is_alone_at_boots(self, update: int) -> bool:
        """Whether of all that hosts have whom boots strike, for however long, this update alone tells who is struck.

        They all have it, and hosts beside them that lack it are spared, a million to one, and a thousand times as
        clearly as those that lack anything else. Who is online more has more of everything, and boots more often: but
        some of the struck lack what is not behind it, and of other updates hosts say as much.
        """
        held, asked = self._held_at_boots(update)
        own = held.get(update)
        if own is None:
            return False
        most = max((other.log_ratio for one, other in held.items() if one != update), default=0.0)
        if own.lacking <= _STRAY_SHARE * asked:
            return own.log_ratio >= max(_LOG_ALONE, most + LOG_THOUSAND)
        return self._is_alone_but_for_the_lost(update, own.log_ratio, most)

    def _is_alone_but_for_the_lost(self, update: int, says: float, most: float) -> bool:
        """The same where some of the struck lack it, as installs are lost, and hosts crash of themselves.

        Then they say next to nothing of whatever else more than half of these have; and those of the same build,
        agent's version or model say so of it, each by itself.

        Args:
            says, most: by the hosts beside them, for this update, and for any other that most of them have.
        """
        if says < max(_LOG_ALONE + LOG_THOUSAND, _TIMES_OTHERS * most):
            return False
        events = self._trial.by_age().sum(1)
        many = self._trial.updates[events > MOSTLY * events[self._trial.row_of(update)]].tolist()
        if any(says < _TIMES_OTHERS * self.of_hosts(other) for other in many if other != update):
            return False
        return log_among_alike(self._inquiry.news, update, self._at_boots_since(update)) >= LOG_THOUSAND

    def _leaves_out_some_boots(self, update: int) -> bool:
        """Whether boots strike hosts that never had it, hours after its installs, and all of them have another one.

        That may be of however long ago, and wait for more than one boot: who boots more often has more of everything.
        """
        if not self._trial.waits_for_boots(self._trial.row_of(update)):
            return False
        held, asked = self._held_at_boots(update)
        own, strays = held.get(update), max(_STRAY_SHARE * asked, _FEW_STRAYS)
        if own is not None and own.lacking <= strays:
            return False
        return any(other.lacking <= strays and other.log_ratio > 0.0 for other in held.values())

    def _asked_at_boots(self, update: int) -> tuple[Mapping[int, Held], int]:
        """What crashes at boots since an update was sent out, where it is likeliest, say for each that the hosts have.

        Returns:
            See ``older.held_by``; and how many are asked.
        """
        asked = to_look_at(np.flatnonzero(self._at_boots_since(update)), _MOST_BOOTS)
        return held_by(self._inquiry.news, asked), len(asked)

    def _at_boots_since(self, update: int) -> Mask:
        """(events,) the crashes at boots since an update was sent out, where it is likeliest."""
        inquiry, tick = self._inquiry, self._case.tick
        events, slices = inquiry.news.events, inquiry.spots.slices
        cells = slices.members[self._trial.likeliest_slice(self._trial.row_of(update))] > 0
        at_boots = self._case.events & cells[events.cell] & (events.outcome == CRASH_AT_BOOT)
        at_boots &= (events.tick <= tick) & (events.minute >= int(self.pushed(update)[0]))
        return at_boots

    def struck_with_one(self, update: int, other: int) -> int:
        """How many of the events happened to hosts that tell of the update, and not of another one."""
        with_it, with_other = (self._inquiry.events_with(one, self._case.tick) for one in (update, other))
        return int((self._case.events & with_it & ~with_other).sum())

    def strikes_late(self, update: int) -> bool:
        """Whether most of what the update may have done came an hour or more after its installs."""
        return not self._strikes_mostly(update, _SOON_AGES)

    def _strikes_mostly(self, update: int, ages: int) -> bool:
        """Whether most of what the update may have done came at so many of the youngest ages of its installs."""
        row = self._trial.row_of(update)
        by_age = self._trial.events[:, row, :AGES].sum(0)[:, self._trial.likeliest_slice(row)]
        return bool(by_age[:ages].sum() > MOSTLY * by_age.sum())

    def _is_at_blamed_place(self, update: int) -> bool:
        struck = self._case.events & self._inquiry.events_with(update, self._case.tick)
        there = (int((struck & self._inquiry.spots.events_at(spot)).sum()) for spot in self._case.blamed)
        return any(count > MOSTLY * struck.sum() for count in there)
