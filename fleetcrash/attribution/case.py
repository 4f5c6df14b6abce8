"""A case: some events, and what all hypotheses make of them; also those that hide behind what only made hosts boot."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache, cached_property

import numpy as np

from fleetcrash.arrays import Ints, Mask
from fleetcrash.attribution import backlog, doubts
from fleetcrash.attribution.after_install import log_by_delay
from fleetcrash.attribution.baseline import CRASH_AT_BOOT
from fleetcrash.attribution.companions import TOLD_BY_ATTRIBUTES
from fleetcrash.attribution.contrast import Moments
from fleetcrash.attribution.evidence import LOG_THOUSAND
from fleetcrash.attribution.exposure import AGE_MINUTES, AGES
from fleetcrash.attribution.hours import DAY
from fleetcrash.attribution.incident import Incident
from fleetcrash.attribution.inquiry import Inquiry
from fleetcrash.attribution.missing_installs import joined_later, untold
from fleetcrash.attribution.news import News
from fleetcrash.attribution.odds import LOG_BY_DELAY, LOG_LATENT, Odds, weigh
from fleetcrash.attribution.older import are_as_likely, are_behind, log_by_holders, of_first_hour, to_ask
from fleetcrash.attribution.rivalry import LOG_HINT, LOG_MARGIN, LOG_NO_CONTRAST, Rivalry
from fleetcrash.attribution.suspects import LOG_THRESHOLD, Trial
from fleetcrash.attribution.toll import Toll
from fleetcrash.attribution.verdict import JUDGING_MINUTES, Judgement, Kind, Lack, judge
from fleetcrash.attribution.waves import Waves
from fleetcrash.attribution.witnesses import enough

Found = tuple[Judgement, Trial, Waves]

# What waits for boots strikes at those that another update did not bring about as often. Where it seems to by far less,
# those may be boots of hosts whose install of the other was not told: then neither is named.
_AS_OFTEN = 0.5

_SOON_AGES = int(np.searchsorted(AGE_MINUTES, 60, side="right"))  # of installs: under an hour

_FEW = 5
_MORE = 2.0  # times as much as before

_MOSTLY = 0.5  # of a few events; the installs before some of them may not be told yet


@dataclass(frozen=True)
class KnownFault:
    """What another incident was traced to.

    Attributes:
        guilty: the update that it names. events: (events,) those that it accounts for.
    """

    guilty: int
    events: Mask


@dataclass(frozen=True)
class Case:
    """What is to be judged.

    Attributes:
        incident: whose events they are; None while they are nobody's.
        tick: what was known by then counts.
        events: (events,) which ones. cells: (cells,) where they may be.
        but: updates that are not on trial.
        named_elsewhere: updates that other incidents name or named.
        needed_by: by updates that a known fault needs beside the guilty one, that fault.
        tolls: by updates that incidents name which had ended before, what each had done by then.
        blamed: parts of the fleet that stand apart and were in trouble within the day, as other incidents say: they may
            be still, whatever their hosts get meanwhile.
        unsolved: (events,) those of no incident that is understood.
    """

    incident: Incident | None
    tick: int
    events: Mask
    cells: Mask
    but: frozenset[int]
    named_elsewhere: frozenset[int]
    needed_by: Mapping[int, KnownFault]
    tolls: Mapping[int, Toll]
    blamed: frozenset[int]
    unsolved: Mask

    @property
    def minutes_open(self) -> int:
        """Minutes since the alarm; none while there is no incident."""
        return 0 if self.incident is None else self.tick - self.incident.alarm_tick

    @property
    def named_before(self) -> int | None:
        """The update that the incident names so far."""
        return None if self.incident is None else self.incident.update


def judged(inquiry: Inquiry, case: Case) -> Found:
    """Weigh all hypotheses on some events, together with those of a known fault that they seem to be more of.

    A fault that needs two updates strikes whoever gets the second of them, so that this one seems to have done it.
    """
    judgement, trial, found = _not_of_boots(inquiry, case)
    leader = judgement.leader(trial.updates)
    if leader is None or leader not in case.needed_by:
        return judgement, trial, found
    known = case.needed_by[leader]
    events = dict(zip(trial.updates.tolist(), trial.events[:, :, :AGES, 0].sum((0, 2)).tolist(), strict=True))
    if events.get(known.guilty, 0.0) < _MOSTLY * events[leader]:
        return judgement, trial, found
    return _not_of_boots(inquiry, replace(case, events=case.events | known.events))


def _not_of_boots(inquiry: Inquiry, case: Case) -> Found:
    """What is found on some events; if what leads may only have made hosts boot, what is found without it."""
    judgement, trial, found = _weighed(inquiry, case)
    leader = judgement.leader(trial.updates)
    if leader is None:
        return judgement, trial, found
    waiting = doubts.waiting_for_boots_of(inquiry, leader, case.tick, case.events, trial, case.named_before)
    if not waiting or judgement.update in waiting:
        return judgement, trial, found
    again, tried, beside = _weighed(inquiry, replace(case, but=case.but | {leader}))
    if again.update in waiting and (again.update == case.named_before or waiting[again.update] >= _AS_OFTEN):
        return again.widened_to(trial.updates, tried.updates), trial, beside
    return judgement.taken_back(case.minutes_open, Lack.BOOTS), trial, found


def _weighed(inquiry: Inquiry, case: Case) -> Found:
    """The judgement on some events, and the weights that it rests on."""
    tick, incident = case.tick, case.incident
    by_departures = incident is not None and incident.by_departures
    portion = None if incident is None else inquiry.portion(incident.rise)
    trial = inquiry.trial(tick, case.events, case.cells, but=case.but, departures=by_departures, portion=portion)
    said = _Testimony(inquiry, case, trial)
    likeliest = int(trial.updates[np.argmax(trial.log_evidence)]) if len(trial.updates) else None
    also_from = None if likeliest is None else int(said.pushed(likeliest)[-1])
    found = inquiry.waves(tick, case.events, caution=False, also_from=also_from, portion=portion)
    contrast = said.of_hosts if inquiry.news.installs_told else None
    rivalry = Rivalry(
        trial,
        found,
        of_waves=found.weighed(inquiry.spots.log_weights(tick)[0]),
        pushed=said.pushed,
        stands_there=inquiry.spots.stands_apart(tick, inquiry.expected.total.sum(0)),
        of_strata=inquiry.spots.of_strata & inquiry.news.presence_told,  # who lacks an update may be offline else
        contrast=contrast,
        of_rollout=lambda update: inquiry.spots.of_rollout(inquiry.news.suspects[update].kind),
        is_slow=said.is_slow,
        named_before=case.named_before,
    )
    odds = weigh(rivalry, said, case.named_elsewhere)
    judgement = judge(
        odds,
        minutes_open=case.minutes_open,
        before=Kind.UNDETERMINED if incident is None else incident.kind,
        named_before=case.named_before,
        contrast=contrast,
        is_doubtful=said.is_doubtful,
    )
    return _questioned(inquiry, case, odds, judgement), trial, found


def _questioned(inquiry: Inquiry, case: Case, odds: Odds, judgement: Judgement) -> Judgement:
    """The judgement, once that is asked which the odds do not weigh: backlogs, untold installs, and older updates."""
    tick, incident, found = case.tick, case.incident, odds.waves
    if judgement.update not in (None, case.named_before) and backlog.may_be_behind(
        inquiry, tick, case.events, judgement.update
    ):
        judgement = judgement.taken_back(case.minutes_open, Lack.IN_TIME)
    if incident is not None and not judgement.kind.is_answer:
        likely = judgement.candidates(odds.trial.updates)
        if backlog.is_behind(inquiry, tick, case.events, incident.alarm_tick, likely):
            return replace(judgement, kind=Kind.NO_UPDATE, wave=None)
    if judgement.kind is Kind.NO_UPDATE and judgement.wave is not None and inquiry.news.installs_told:
        where = int(found.spot[judgement.wave[0]]), int(found.onset[judgement.wave[0]])
        if open_to := untold(inquiry, tick, case.events, *where, is_early=case.minutes_open < JUDGING_MINUTES):
            judgement = judgement.left_open(open_to, case.minutes_open)
    if judgement.kind is Kind.NO_UPDATE and _may_be_latent(inquiry, case, odds):
        judgement = replace(judgement, kind=Kind.UNDETERMINED)
    if behind := _older(inquiry, case, odds, judgement):
        judgement = judgement.left_to_older(behind, case.minutes_open)
    return judgement


class _Testimony:
    """What the hosts of a case say of an update on trial, by its index: ``odds.Hosts``, and what the verdict asks.

    Each question is put to the lake once.
    """

    def __init__(self, inquiry: Inquiry, case: Case, trial: Trial) -> None:
        self._inquiry, self._case, self._trial = inquiry, case, trial
        self.pushed = cache(inquiry.pushed)
        self.of_hosts = cache(self._of_hosts)
        self.by_delay = cache(self._by_delay)

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

    def by_timer(self, update: int, spot: int, onset: int) -> float:
        """The same of the events of a wave, among the hosts that had the update."""
        inquiry, tick = self._inquiry, self._case.tick
        of_wave = self._case.events & inquiry.events_since(spot, onset) & (inquiry.news.events.tick <= tick)
        if joined_later(~inquiry.events_with(update, tick)[of_wave]):
            return 0.0
        return self._after_install(update, of_wave, among_holders=True)

    def _after_install(self, update: int, events: Mask, *, among_holders: bool) -> float:
        inquiry, tick = self._inquiry, self._case.tick
        row = int(np.searchsorted(self._trial.updates, update))
        if self._case.incident is None or not inquiry.news.presence_told:
            return 0.0
        if self._trial.log_test[row] < LOG_THRESHOLD:
            return 0.0
        cells = inquiry.spots.slices.members[int(np.argmax(self._trial.log_by_slice[row]))] > 0
        there = events & cells[inquiry.news.events.cell]
        released = int(self.pushed(update)[0])
        return log_by_delay(inquiry.news, tick, there, update, released, among_holders=among_holders)

    def goes_on(self, update: int) -> bool:
        """Whether the events are what an ended incident's update was to do."""
        if update not in self._case.tolls:
            return False
        there = self._case.events & self._case.cells[self._inquiry.news.events.cell]
        return self._case.tolls[update].goes_on(self._inquiry, self._case.tick, there)

    def is_doubtful(self, update: int, onset: int | None) -> bool:
        """Whether what speaks for the update is told by some of its hosts alone.

        Args:
            onset: when the best wave began, if there is one.
        """
        if self._is_at_blamed_place(update) or self._strikes_others_as_well(update) or self._goes_on(update):
            return True
        return doubts.is_doubtful(
            self._inquiry,
            self._case.tick,
            self._case.events,
            self._trial,
            update,
            onset,
            told_by_delay=lambda: self.by_delay(update) >= LOG_BY_DELAY,
            is_known=update in self._case.named_elsewhere,
        )

    def _strikes_others_as_well(self, update: int) -> bool:
        """Whether hours after its installs as many hosts are struck that never had the update, and no less often.

        Of a rise that has gone on for longer than waves are looked for, an update takes its part of the events.
        """
        inquiry, tick = self._inquiry, self._case.tick
        if not inquiry.news.installs_told:
            return False
        if not self._is_late(update) or self.of_hosts(update) >= LOG_HINT:
            return False
        struck = doubts.struck_beside(inquiry, update, tick, self._case.events, self._trial)
        return int(struck.sum()) > _MOSTLY * len(struck)

    def _goes_on(self, update: int) -> bool:
        """Whether about as much happened where the update is likeliest in the day before it was sent out.

        To its hosts alone more than twice as much would have. What other incidents explain is left out.
        """
        inquiry, tick, incident = self._inquiry, self._case.tick, self._case.incident
        released = int(self.pushed(update)[0])
        began, since = max(released - DAY, inquiry.first_tick), max(tick - DAY, inquiry.first_tick)
        if incident is None or incident.by_departures or incident.rise is not None or began >= released:
            return False
        row, events = int(np.searchsorted(self._trial.updates, update)), inquiry.news.events
        spot = int(np.argmax(self._trial.log_by_slice[row]))
        before = self._case.unsolved & inquiry.spots.events_at(spot) & (events.tick <= tick)
        before &= (events.minute >= began) & (events.minute < released)
        if before.sum() < _FEW or self.of_hosts(update) >= LOG_MARGIN:
            return False
        # What is usual is known of the last day alone, in which there were as many hosts at least as in one before.
        usual = float(inquiry.expected.since(spot, since + 1).sum()) * (released - began) / max(tick - since, 1)
        struck, expected = (of[:, row, :AGES, spot].sum() for of in (self._trial.events, self._trial.expected))
        return bool(struck * usual < _MORE * before.sum() * expected)

    def is_slow(self, update: int) -> bool:
        """Whether the update went out more than a day ago, and strikes an hour or more after its installs."""
        return int(self.pushed(update)[0]) <= self._case.tick - DAY and self._is_late(update)

    def _is_late(self, update: int) -> bool:
        row = int(np.searchsorted(self._trial.updates, update))
        by_age = self._trial.events[:, row, :AGES].sum(0)[:, int(np.argmax(self._trial.log_by_slice[row]))]
        return bool(by_age[:_SOON_AGES].sum() <= _MOSTLY * by_age.sum())

    def _is_at_blamed_place(self, update: int) -> bool:
        struck = self._case.events & self._inquiry.events_with(update, self._case.tick)
        there = (int((struck & self._inquiry.spots.events_at(spot)).sum()) for spot in self._case.blamed)
        return any(count > _MOSTLY * struck.sum() for count in there)


def _may_be_latent(inquiry: Inquiry, case: Case, odds: Odds) -> bool:
    """Whether the first few hosts that are struck say a little for an update that they have had for hours.

    There are not enough of them to say so by; but once no update is said to do it, one that was there is not named.
    """
    incident, is_late = case.incident, case.minutes_open >= JUDGING_MINUTES
    if incident is None or incident.kind is Kind.NO_UPDATE or is_late or odds.foremost is None:
        return False
    said = log_by_holders(inquiry.news, to_ask(_struck_by_wave(inquiry, case, odds.foremost, odds.waves)))
    return max(said.values(), default=0.0) >= LOG_HINT


def _struck_by_wave(inquiry: Inquiry, case: Case, wave: tuple[int, int], waves: Waves) -> Ints:
    """The numbers of the events of a case that are of a wave, as known by now."""
    spot, onset = int(waves.spot[wave[0]]), int(waves.onset[wave[0]])
    return np.flatnonzero(case.events & inquiry.events_since(spot, onset) & (inquiry.news.events.tick <= case.tick))


def _older(inquiry: Inquiry, case: Case, odds: Odds, judgement: Judgement) -> tuple[int, ...]:
    """Updates of long before that may be behind what none on trial seems to have done, or only one that came at a boot.

    Hosts get what they missed as they boot, so that what crashes them at a boot seems to follow that. And where they
    say of an update of hours ago that its fault was latent they may say so of those that the same hosts got before it,
    or of what nearly all of them got just then, which may do it to hosts with both.
    """
    news, named = inquiry.news, judgement.update
    if case.incident is None or odds.foremost is None:
        return ()
    if named is not None and odds.begun_with is not None:
        return named, odds.begun_with
    struck = _struck_by_wave(inquiry, case, odds.foremost, odds.waves)
    is_at_boots = (news.events.outcome[struck] == CRASH_AT_BOOT).sum() > _MOSTLY * len(struck)
    if named is not None and not (is_at_boots or odds.is_latent):
        return ()
    said = log_by_holders(news, to_ask(struck))
    with_it = (inquiry.events_with(one, case.tick)[struck].sum() for one in said)
    younger = frozenset(one for one, held in zip(said, with_it, strict=True) if held > _MOSTLY * len(struck))
    leader = judgement.leader(odds.trial.updates) if named is None else named
    if leader is not None and leader not in said:  # many of the struck hosts lack it
        return are_behind(said, younger, LOG_MARGIN + float(np.log(max(len(said), 1))))
    if named is None:
        least = max(LOG_LATENT, enough(len(to_ask(struck))))
        said = {one: most - odds.log_of_place(one) for one, most in said.items()}
        return _behind_no_name(news, case, judgement.kind, said, younger if leader is not None else None, least)
    if not odds.is_latent:
        return ()
    return _beside_latent(news, named, struck, said, younger, is_kept=named == case.named_before)


def _behind_no_name(
    news: News, case: Case, kind: Kind, said: Mapping[int, float], younger: frozenset[int] | None, least: float
) -> tuple[int, ...]:
    """The updates of long before that may be behind it, where none is named.

    Args:
        said: what hosts say for each, more than for the place where it strikes.
        younger: those of the last day; None where no update on trial is likely: it struck too late for that to tell.
        least: what has to be said of one.
    """
    known = {one: most for one, most in said.items() if one in case.named_elsewhere}
    again = are_behind(known, frozenset(), LOG_MARGIN)
    if kind is Kind.NO_UPDATE and again:  # that they crash hosts is known already
        return again
    if younger is None:
        return are_behind(said, frozenset(), least)
    # The likely one may strike hosts by what an agent's or an OS's version made of them.
    return are_behind(_but_attributes(news, said), younger, least)


def _beside_latent(
    news: News, named: int, struck: Ints, said: Mapping[int, float], younger: frozenset[int], *, is_kept: bool
) -> tuple[int, ...]:
    """The updates that a latent fault may be of, the named one among them; none where it is told from all others.

    Args:
        struck: the events, by their numbers. said: what their hosts say for each update.
        younger: those of the last day.
        is_kept: whether the name was given before.
    """
    at_first = log_by_holders(news, to_ask(of_first_hour(struck, news.events.minute)))
    if at_first and at_first.get(named, 0.0) < LOG_MARGIN:
        least = LOG_MARGIN if is_kept else LOG_LATENT
        others = tuple(one for one, most in at_first.items() if most >= least and one != named)
        # A name that was given for something else stands where the first ones say nothing at all.
        says_nothing = not others and at_first.get(named, -np.inf) >= LOG_NO_CONTRAST
        return () if is_kept and says_nothing else (named, *others)
    beside = _but_attributes(news, said) | {named: said[named]}
    return are_as_likely(beside, named, younger, LOG_MARGIN if is_kept else LOG_THOUSAND)


def _but_attributes(news: News, said: Mapping[int, float]) -> dict[int, float]:
    """What is said of updates that set none of what hosts are told apart by."""
    return {one: most for one, most in said.items() if news.suspects[one].kind not in TOLD_BY_ATTRIBUTES}
